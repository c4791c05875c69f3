// How an object that is elsewhere comes back into memory, once its bytes are
// there.  Retriever fetches them.
#ifndef VITRINE_STORE_TABLE_RETURNING_H_
#define VITRINE_STORE_TABLE_RETURNING_H_

#include <cstddef>
#include <span>

#include "store/segments/segment_pool.h"
#include "store/table/table_state.h"

namespace vitrine::store {

// Thread-safe.  `table` must outlive it.
class Returning {
 public:
  explicit Returning(TableState* table) : table_(table) {}

  // The retired segment has all bytes of `object`, and nobody else has it open;
  // it is the object's from now on.  kNotFound: gone.  kAlreadyExists: the
  // object is in memory.  After an error the segment is still retired.
  Status Return(const ObjectRef& object, const RetiredSegment& segment)
      EXCLUDES(table_->mutex);
  // The same, of a small object, whose bytes are copied into the open slab.
  // False: the slab has no room for them.
  Result<bool> ReturnSmall(const ObjectRef& object,
                           std::span<const std::byte> bytes)
      EXCLUDES(table_->mutex);

 private:
  static Status CheckElsewhere(const ObjectRecord& object);

  TableState* const table_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_RETURNING_H_
