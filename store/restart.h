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

struct Leftovers {
  std::vector<CountedObject> indexed;  // By number.
  JournalContents journal;
  UnnamedSegments unnamed;
};

// kCorruption: there were objects, and a start would lose them all.  `recover`:
// it may.
Status CheckWorthTaking(const Leftovers& left, const std::string& journal_path,
                        bool recover);

// `missing`: the numbers of the objects in the journal that were not restored.
RestartReport ReportOf(const Leftovers& left,
                       const std::vector<uint64_t>& missing);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_RESTART_H_
