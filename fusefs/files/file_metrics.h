// The values of `status` for open files.
#ifndef VITRINE_FUSEFS_FILES_FILE_METRICS_H_
#define VITRINE_FUSEFS_FILES_FILE_METRICS_H_

#include <cstdint>

#include "fusefs/base/store_names.h"

namespace vitrine::fusefs {

struct FileNumbers {
  uint64_t open_files;
  uint64_t open_objects;
  uint64_t open_objects_passed_through;
  uint64_t passthrough_opens;
  uint64_t open_directories;
  uint64_t known_nodes;
  uint64_t waiting_for_seal;
  uint64_t carried_read_bytes;
  uint64_t carried_written_bytes;
  uint64_t notified_names;
  uint64_t killed_writers;
};

StatusSection FilesSection(const FileNumbers& numbers);

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_FILES_FILE_METRICS_H_
