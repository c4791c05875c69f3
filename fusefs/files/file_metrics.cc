#include "fusefs/files/file_metrics.h"

namespace vitrine::fusefs {
namespace {

using store::Counter;
using store::Gauge;

constexpr MetricOf<FileNumbers> kFileMetrics[] = {
    Gauge<&FileNumbers::open_files>("open_files", "Files that are open."),
    Gauge<&FileNumbers::open_objects>("open_objects",
                                      "Objects whose files are open."),
    Gauge<&FileNumbers::open_objects_passed_through>(
        "open_objects_passed_through",
        "Objects that the kernel reads and writes without the store."),
    Counter<&FileNumbers::passthrough_opens>(
        "passthrough_opens", "Times that an object was opened for that."),
    Gauge<&FileNumbers::open_directories>("open_directories",
                                          "Directories that are open."),
    Gauge<&FileNumbers::known_nodes>("known_nodes",
                                     "Files that the kernel remembers."),
    Gauge<&FileNumbers::waiting_for_seal>(
        "waiting_for_seal", "Opens that wait until an object is sealed."),
    Counter<&FileNumbers::carried_read_bytes>(
        "carried_read_bytes", "Data that was read through the store.",
        MetricUnit::kBytes),
    Counter<&FileNumbers::carried_written_bytes>(
        "carried_written_bytes", "Data that was written through the store.",
        MetricUnit::kBytes),
    Counter<&FileNumbers::notified_names>(
        "notified_names", "Objects whose names the kernel was told to forget."),
    Counter<&FileNumbers::killed_writers>(
        "killed_writers", "Objects that were aborted as their writer died.")};

}  // namespace

StatusSection FilesSection(const FileNumbers& numbers) {
  return MakeSection(kFileMetrics, numbers);
}

}  // namespace vitrine::fusefs
