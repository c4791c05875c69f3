// Operations on sealed objects, and ways to the bytes of any object.
#ifndef VITRINE_STORE_TABLE_SEALED_OPS_H_
#define VITRINE_STORE_TABLE_SEALED_OPS_H_

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "store/table/table_state.h"

namespace vitrine::store {

// Thread-safe.  `table` must outlive it.
class SealedOps {
 public:
  explicit SealedOps(TableState* table) : table_(table) {}

  Result<ObjectRef> FindSealed(const ObjectId& id) const
      EXCLUDES(table_->mutex);
  Result<DroppedSegment> Delete(const ObjectRef& object, const Credentials& who)
      EXCLUDES(table_->mutex);
  // The same of several, with a result for each: one journal record and one
  // hold of the lock.
  struct Deleted {
    ObjectRef object;
    DroppedSegment dropped = {};
  };
  std::vector<Result<Deleted>> DeleteMany(std::span<const ObjectId> ids,
                                          const Credentials& who)
      EXCLUDES(table_->mutex);
  Status SetHold(const ObjectRef& object, bool hold, const Credentials& who)
      EXCLUDES(table_->mutex);
  void Touch(const ObjectRef& object) EXCLUDES(table_->mutex);
  Result<UniqueFd> OpenForReading(const ObjectRef& object) const
      EXCLUDES(table_->mutex);
  // For the store itself to look at.
  Result<std::shared_ptr<SegmentFile>> Share(const ObjectRef& object)
      EXCLUDES(table_->mutex);
  // For others to read.  A segment of the object's own is never recycled
  // afterwards.  kNotFound: gone.
  Result<std::shared_ptr<SegmentFile>> Lend(const ObjectRef& object)
      EXCLUDES(table_->mutex);
  // The path of the segment, to be told to anybody.
  std::string TellPath(const ObjectRef& object) EXCLUDES(table_->mutex);

 private:
  Result<ObjectRef> Find(const ObjectId& id) const REQUIRES(table_->mutex);

  TableState* const table_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_SEALED_OPS_H_
