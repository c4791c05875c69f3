// What a start takes over from a store that was killed.
#ifndef VITRINE_STORE_TABLE_TABLE_RESTORE_H_
#define VITRINE_STORE_TABLE_TABLE_RESTORE_H_

#include <cstdint>
#include <vector>

#include "store/journal/journal_replay.h"
#include "store/table/table_state.h"
#include "store/table/unnamed_segments.h"

namespace vitrine::store {

// Thread-safe.  `table` must outlive it.
class TableRestore {
 public:
  explicit TableRestore(TableState* table) : table_(table) {}

  struct Restored {
    uint64_t cost_bytes = 0;  // What it takes besides the slabs.
    // Objects whose bytes are gone or make no sense.
    std::vector<uint64_t> missing = {};
  };
  // Takes over what a killed store had sealed; removes `unnamed`.
  Result<Restored> Restore(const JournalContents& journal,
                           const UnnamedSegments& unnamed)
      EXCLUDES(table_->mutex);

 private:
  Status RemoveUnnamed(const UnnamedSegments& unnamed) REQUIRES(table_->mutex);
  Status RestoreInto(Restored* restored, const JournaledObject& journaled)
      REQUIRES(table_->mutex);
  void Forget(const JournaledObject& journaled, const Error& why)
      REQUIRES(table_->mutex);
  // `owner` has the object in it that was used longest ago.
  Result<Slab*> RestoreSlab(uint64_t segment, uid_t owner)
      REQUIRES(table_->mutex);
  Status RestoreInSlab(ObjectRecord* object, const ObjectInfo& journaled)
      REQUIRES(table_->mutex);
  static ObjectRef MakeRecord(const JournaledObject& journaled);
  Status RestoreInMemory(const ObjectRef& object, const ObjectInfo& journaled)
      REQUIRES(table_->mutex);
  Status RestoreElsewhere(const ObjectRef& object) REQUIRES(table_->mutex);
  // Where the journal says.
  Result<ObjectRef> RestoreOne(const JournaledObject& journaled)
      REQUIRES(table_->mutex);
  // There, or elsewhere if the tier has a copy and the memory has not.
  Result<ObjectRef> RestoreAnywhere(const JournaledObject& journaled)
      REQUIRES(table_->mutex);

  TableState* const table_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_TABLE_RESTORE_H_
