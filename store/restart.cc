#include "store/restart.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <unordered_set>

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

using FoundObjects = std::map<uint64_t, const JournaledObject*>;

FoundObjects ByNumber(const std::vector<JournaledObject>& objects) {
  FoundObjects found;
  for (const JournaledObject& object : objects) {
    found.emplace(object.info.number, &object);
  }
  return found;
}

// Stores of different machines may have given out the same number.
bool AreSame(const JournaledObject& left, const JournaledObject& right) {
  return left.info.id == right.info.id &&
         left.info.size_bytes == right.info.size_bytes &&
         left.info.sealed_ns == right.info.sealed_ns &&
         left.info.uid == right.info.uid;
}

// Takes what becomes an object again out of `found`.  Of two with one id, the
// newer one does.
std::vector<const JournaledObject*> Adopted(const Leftovers& left,
                                            FoundObjects* found) {
  std::vector<const JournaledObject*> adopted;
  if (left.knows_tier() && left.journal.damage.places == 0) return adopted;
  std::unordered_set<std::string> ids;
  for (const JournaledObject& object : left.journal.objects) {
    ids.insert(object.info.id.text());
  }
  const Numbers& removed = left.journal.removed;
  for (auto newest = found->rbegin(); newest != found->rend(); ++newest) {
    const auto& [number, object] = *newest;
    const bool was_removed =
        left.knows_tier() &&
        std::binary_search(removed.begin(), removed.end(), number);
    if (was_removed || !ids.insert(object->info.id.text()).second) continue;
    adopted.push_back(object);
  }
  for (const JournaledObject* object : adopted) {
    found->erase(object->info.number);
  }
  return adopted;
}

size_t CountUncopied(const Leftovers& left) {
  return static_cast<size_t>(
      std::count_if(left.journal.objects.begin(), left.journal.objects.end(),
                    [](const JournaledObject& object) {
                      return object.info.elsewhere && !object.info.copied;
                    }));
}

Status CheckTier(const Leftovers& left, const std::string& journal_path,
                 bool recover) {
  const size_t uncopied = CountUncopied(left);
  if (uncopied > 0 && !left.knows_tier() && !recover) {
    return Error{Code::kCorruption,
                 std::to_string(uncopied) + " of the objects in " +
                     journal_path +
                     " are in another external store: start with that one, or "
                     "lose them with --recover"};
  }
  return Status();
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

void CombineWithTier(Leftovers* left) {
  FoundObjects found = ByNumber(left->found);
  for (JournaledObject& object : left->journal.objects) {
    const auto copy = found.find(object.info.number);
    object.info.copied = copy != found.end() && AreSame(*copy->second, object);
    if (copy != found.end()) found.erase(copy);
  }
  for (const JournaledObject* object : Adopted(*left, &found)) {
    left->journal.objects.push_back(*object);
    MarkElsewhere(&left->journal.objects.back().info);
    ++left->adopted;
  }
  for (const auto& [number, object] : found) left->unwanted.push_back(number);
  for (const JournaledObject& object : left->found) {
    left->journal.highest_number =
        std::max(left->journal.highest_number, object.info.number);
  }
}

Status CheckWorthTaking(const Leftovers& left, const std::string& journal_path,
                        bool recover) {
  if (Status ok = CheckTier(left, journal_path, recover); !ok) return ok;
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
