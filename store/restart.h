// What a killed store has left, and whether a start may take it over.
#ifndef VITRINE_STORE_RESTART_H_
#define VITRINE_STORE_RESTART_H_

#include <vitrine/result.h>

#include <string>
#include <vector>

#include "store/base/restart_report.h"
#include "store/index/index_census.h"
#include "store/journal/journal_replay.h"
#include "store/table/table_restore.h"
#include "store/table/unnamed_segments.h"

namespace vitrine::store {

struct FoundCopy {
  JournaledObject object;
  uint64_t tier = 0;  // The identity of the external store that has it.
};

struct Leftovers {
  std::vector<CountedObject> indexed;  // By number.
  JournalContents journal;
  UnnamedSegments unnamed;
  std::vector<uint64_t> tiers;   // Tier::identities.
  std::vector<FoundCopy> found;  // What the tier has, as it was put.
  // By CombineWithTier: how many of the journal's objects were only found, and
  // the numbers of what the tier is to forget.
  size_t adopted = 0;
  size_t not_found = 0;  // Objects that are elsewhere, but the tier has none.
  size_t strangers = 0;  // Found numbers that other objects have.
  std::vector<uint64_t> unwanted;
};

// Combines the journal with what the tier has.  Objects that the tier has a
// copy of are marked as such.  What only the tier has joins the journal's
// objects if the journal does not know the external store that it is in (the
// host has restarted, or the store had ended in good order) or has lost
// records; else it was deleted.
// `recover`: what is elsewhere and was not found is given up.
void CombineWithTier(bool recover, Leftovers* left);

// kCorruption: there were objects, and a start would lose them all, or they
// belong to an external store that was not given.  `recover`: it may.
// kInvalidArgument: an external store is another store's.
Status CheckWorthTaking(const Leftovers& left, const std::string& journal_path,
                        bool recover);

// `missing`: the numbers of the objects in the journal that were not restored.
RestartReport ReportOf(const Leftovers& left,
                       const std::vector<uint64_t>& missing);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_RESTART_H_
