// What a start takes over from a store that was killed.
#ifndef VITRINE_STORE_TABLE_TABLE_RESTORE_H_
#define VITRINE_STORE_TABLE_TABLE_RESTORE_H_

#include <cstdint>
#include <vector>

#include "store/journal/journal_replay.h"
#include "store/table/table_state.h"

namespace vitrine::store {

// Thread-safe.  `table` must outlive it.
class TableRestore {
 public:
  explicit TableRestore(TableState* table) : table_(table) {}

  // Takes over what a killed store had sealed; removes all other segments.
  // Returns what that takes besides the slabs.
  Result<uint64_t> Restore(const std::vector<JournaledObject>& journaled)
      EXCLUDES(table_->mutex);

 private:
  Result<Slab*> RestoreSlab(uint64_t segment) REQUIRES(table_->mutex);
  Status RestoreInSlab(ObjectRecord* object, const ObjectInfo& journaled)
      REQUIRES(table_->mutex);
  Result<ObjectRef> RestoreOne(const JournaledObject& journaled)
      REQUIRES(table_->mutex);

  TableState* const table_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_TABLE_RESTORE_H_
