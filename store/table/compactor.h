// Compaction: the objects that still live in nearly empty slabs move into the
// open slab, so that the memory of the others comes back.
//
// A move begins as an eviction ends: the slot is marked, and the pins are read.
// An object that no client has pinned gets a new place.  Between the mark and
// the new place readers wait, for microseconds; then they find the new place.
#ifndef VITRINE_STORE_TABLE_COMPACTOR_H_
#define VITRINE_STORE_TABLE_COMPACTOR_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "store/table/table_state.h"

namespace vitrine::store {

// Thread-safe.  `table` must outlive it.
class Compactor {
 public:
  explicit Compactor(TableState* table) : table_(table) {}

  struct Compaction {
    size_t moved = 0;  // Objects.
    // Nothing moved because the open slab has no room for so many bytes.
    uint64_t needed_bytes = 0;
    DroppedSegment dropped = {};
  };
  // True if moving what lives in slabs that are nearly empty would give memory
  // back.
  bool WantsCompaction() const EXCLUDES(table_->mutex);
  // Moves some of these objects, slab after slab, into the open slab.  A pinned
  // object stays.  A slab that is given up stays whole for the processes that
  // have it mapped.
  Compaction CompactBatch() EXCLUDES(table_->mutex);

 private:
  Compaction MoveOut(Slab* slab) REQUIRES(table_->mutex);
  // Copies the bytes of `objects`, all of `slab`, to the open slab as far as
  // they fit.  Returns the copied objects with their new places.
  Result<std::vector<JournaledObject>> CopyOut(
      const Slab& slab, std::span<const ObjectRef> objects)
      REQUIRES(table_->mutex);
  void MoveTo(ObjectRecord* object, const ObjectInfo& place)
      REQUIRES(table_->mutex);

  TableState* const table_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_COMPACTOR_H_
