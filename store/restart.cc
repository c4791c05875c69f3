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

using FoundCopies = std::map<uint64_t, const FoundCopy*>;

FoundCopies ByNumber(const std::vector<FoundCopy>& found) {
  FoundCopies copies;
  for (const FoundCopy& copy : found) {
    copies.emplace(copy.object.info.number, &copy);
  }
  return copies;
}

// Stores of different machines may have given out the same number.
bool AreSame(const JournaledObject& left, const JournaledObject& right) {
  return left.info.id == right.info.id &&
         left.info.size_bytes == right.info.size_bytes &&
         left.info.sealed_ns == right.info.sealed_ns &&
         left.info.uid == right.info.uid;
}

bool Contains(const Numbers& numbers, uint64_t number) {
  return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

// Says what an object that the journal does not have was.
bool WasDeleted(const Leftovers& left, const FoundCopy& copy) {
  // The journal knows of all that was in such an external store.
  if (!Contains(left.journal.tiers, copy.tier)) return false;
  const Numbers& removed = left.journal.removed;
  return left.journal.damage.places == 0 ||
         std::binary_search(removed.begin(), removed.end(),
                            copy.object.info.number);
}

// Of two with one id, the newer one becomes an object again.
std::vector<const FoundCopy*> Adopted(const Leftovers& left,
                                      const FoundCopies& copies) {
  std::unordered_set<std::string> ids;
  for (const JournaledObject& object : left.journal.objects) {
    ids.insert(object.info.id.text());
  }
  std::vector<const FoundCopy*> adopted;
  for (auto newest = copies.rbegin(); newest != copies.rend(); ++newest) {
    const FoundCopy& copy = *newest->second;
    if (WasDeleted(left, copy)) continue;
    if (!ids.insert(copy.object.info.id.text()).second) continue;
    adopted.push_back(&copy);
  }
  return adopted;
}

bool LacksTier(const Leftovers& left) {
  const Numbers& known = left.journal.tiers;
  return !std::all_of(known.begin(), known.end(), [&left](uint64_t tier) {
    return Contains(left.tiers, tier);
  });
}

Status CheckTiers(const Leftovers& left, const std::string& journal_path,
                  bool recover) {
  if (left.strangers > 0) {
    return Error{Code::kInvalidArgument,
                 "an external store has objects of another store, with numbers "
                 "that objects in " +
                     journal_path + " have, too"};
  }
  const bool has_own = left.journal.objects.size() > left.adopted;
  if (!has_own || recover || !LacksTier(left)) return Status();
  return Error{Code::kCorruption,
               "the objects in " + journal_path +
                   " belong to an external store that was not given: start "
                   "with it, or lose what only it has with --recover"};
}

// What the tier does not find now it may find another time; a get tells.
void NoteCopy(const FoundCopies& copies, bool recover, Leftovers* left,
              JournaledObject* object) {
  const auto copy = copies.find(object->info.number);
  const bool found = copy != copies.end();
  if (found && !AreSame(copy->second->object, *object)) ++left->strangers;
  if (!found && object->info.elsewhere) ++left->not_found;
  object->info.copied = found || (object->info.elsewhere && !recover);
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

void CombineWithTier(bool recover, Leftovers* left) {
  std::vector<JournaledObject>& objects = left->journal.objects;
  FoundCopies copies = ByNumber(left->found);
  for (JournaledObject& object : objects) {
    NoteCopy(copies, recover, left, &object);
    copies.erase(object.info.number);
  }
  for (const FoundCopy* copy : Adopted(*left, copies)) {
    objects.push_back(copy->object);
    MarkElsewhere(&objects.back().info);
    copies.erase(copy->object.info.number);
    ++left->adopted;
  }
  for (const auto& [number, copy] : copies) left->unwanted.push_back(number);
}

Status CheckWorthTaking(const Leftovers& left, const std::string& journal_path,
                        bool recover) {
  if (Status ok = CheckTiers(left, journal_path, recover); !ok) return ok;
  if (left.journal.objects.size() > left.adopted) return Status();
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
