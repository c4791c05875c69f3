#include "store/tiers/spill_metrics.h"

namespace vitrine::store {
namespace {

using Book = SpillBook::Numbers;
using Io = SpillIo::Numbers;
using Cleaner = SpillCleaner::Numbers;

std::string WithoutUser(const SpillNumbers& numbers) {
  const std::string& url = numbers.url;
  const size_t place = url.find("://");
  if (place == std::string::npos) return url;
  const size_t begin = place + 3;
  const size_t end = url.find('/', begin);
  const size_t at = url.substr(0, end).rfind('@');
  if (at == std::string::npos || at < begin) return url;
  return url.substr(0, begin) + url.substr(at + 1);
}

std::string StateOf(const Io& io) { return io.failing ? "failing" : "working"; }

uint64_t PerSecond(uint64_t bytes, uint64_t ns) {
  constexpr double kNsPerSecond = 1e9;
  if (ns == 0) return 0;
  return static_cast<uint64_t>(static_cast<double>(bytes) * kNsPerSecond /
                               static_cast<double>(ns));
}
uint64_t PutRate(const Io& io) { return PerSecond(io.put_bytes, io.put_ns); }
uint64_t GetRate(const Io& io) { return PerSecond(io.got_bytes, io.get_ns); }

constexpr MetricOf<SpillNumbers> kUrlMetrics[] = {
    Info<&WithoutUser>("url", "The external store, without user or password.")};

constexpr MetricOf<Io> kIoMetrics[] = {
    Info<&StateOf>("state", "`working`, or `failing` if the last call did."),
    Info<&Io::last_error>("last_error",
                          "What went wrong last; empty: nothing ever."),
    Counter<&Io::puts>("puts", "Values that were written."),
    Counter<&Io::put_bytes>("put_bytes", "Size of those values.",
                            MetricUnit::kBytes),
    Gauge<&PutRate>("put_rate",
                    "Bytes in a second of writing, on average of all writes.",
                    MetricUnit::kBytes),
    Counter<&Io::gets>("gets", "Reads of values or of parts of them."),
    Counter<&Io::got_bytes>("got_bytes", "Size of what was read.",
                            MetricUnit::kBytes),
    Gauge<&GetRate>("get_rate",
                    "Bytes in a second of reading, on average of all reads.",
                    MetricUnit::kBytes),
    Counter<&Io::retries>("retries", "Calls that were tried once more."),
    Counter<&Io::failures>("failures", "Calls that failed at last.")};

constexpr MetricOf<Book> kBookMetrics[] = {
    Gauge<&Book::objects>("objects", "Objects that have a copy there."),
    Gauge<&Book::values>("values", "Values that hold them."),
    Gauge<&Book::live_bytes>("live_bytes", "Size of those objects.",
                             MetricUnit::kBytes),
    Gauge<&Book::dead_bytes>(
        "dead_bytes", "What the values take besides, mostly deleted objects.",
        MetricUnit::kBytes),
    Gauge<&Book::limit_bytes>("limit_bytes",
                              "What the values may take together; 0: no limit.",
                              MetricUnit::kBytes),
    Gauge<&Book::dead_values>("dead_values",
                              "Values that are still to be deleted."),
    Gauge<&Book::damaged_values>("damaged_values",
                                 "Values that are kept for inspection."),
    Counter<&Book::damaged_objects>(
        "damaged_objects", "Objects whose bytes were not what was put.")};

constexpr MetricOf<Cleaner> kCleanerMetrics[] = {
    Counter<&Cleaner::deleted_values>("deleted_values",
                                      "Values that were deleted."),
    Counter<&Cleaner::logged_deletions>(
        "logged_deletions", "Objects deleted of values that live on."),
    Counter<&Cleaner::copied_bytes>("copied_bytes",
                                    "What was written anew to give space back.",
                                    MetricUnit::kBytes)};

}  // namespace

StatusSection SpillSection(const SpillNumbers& numbers) {
  StatusSection section = MakeSection(kUrlMetrics, numbers);
  section.Add(kIoMetrics, numbers.io);
  section.Add(kBookMetrics, numbers.book);
  section.Add(kCleanerMetrics, numbers.cleaner);
  return section;
}

}  // namespace vitrine::store
