#include "store/restart.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>

namespace vitrine::store {
namespace {

using Numbers = std::vector<uint64_t>;

// The objects that are restored, and those that were removed.
Numbers AccountedFor(const JournalContents& journal, Numbers missing) {
  Numbers live;
  live.reserve(journal.objects.size());
  for (const JournaledObject& object : journal.objects) {
    live.push_back(object.info.number);
  }
  std::sort(live.begin(), live.end());
  std::sort(missing.begin(), missing.end());
  Numbers restored;
  std::set_difference(live.begin(), live.end(), missing.begin(), missing.end(),
                      std::back_inserter(restored));
  Numbers known;
  std::merge(restored.begin(), restored.end(), journal.removed.begin(),
             journal.removed.end(), std::back_inserter(known));
  return known;
}

}  // namespace

RestartReport ReportOf(const Leftovers& left, const Numbers& missing) {
  RestartReport report{
      .restored_objects = left.journal.objects.size() - missing.size(),
      .damaged_places = left.journal.damage.places,
      .damaged_bytes = left.journal.damage.bytes};
  const Numbers known = AccountedFor(left.journal, missing);
  for (const CountedObject& object : left.indexed) {
    if (std::binary_search(known.begin(), known.end(), object.number)) continue;
    ++report.lost_objects;
    report.lost_bytes += object.size_bytes;
  }
  if (report.anything_lost() || left.journal.unreadable) {
    report.freed_segments = left.unnamed.sealed;
    report.freed_bytes = left.unnamed.sealed_bytes;
  }
  return report;
}

Status CheckWorthTaking(const Leftovers& left, const std::string& journal_path,
                        bool recover) {
  if (!left.journal.objects.empty()) return Status();
  const RestartReport report = ReportOf(left, {});
  if (report.lost_objects == 0 && report.freed_segments == 0) return Status();
  const std::string losses = report.Describe();
  if (recover) {
    spdlog::warn("recovering without {}: {}", journal_path, losses);
    return Status();
  }
  return Error{Code::kCorruption,
               "the journal " + journal_path +
                   " names none of the objects that a killed store left; put "
                   "it back, or start with --recover: " +
                   losses};
}

}  // namespace vitrine::store
