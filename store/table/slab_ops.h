// Small objects, which share segments.
#ifndef VITRINE_STORE_TABLE_SLAB_OPS_H_
#define VITRINE_STORE_TABLE_SLAB_OPS_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "store/base/requests.h"
#include "store/segments/segment_pool.h"
#include "store/table/table_state.h"

namespace vitrine::store {

// Thread-safe.  `table` must outlive it.
class SlabOps {
 public:
  explicit SlabOps(TableState* table) : table_(table) {}

  // Makes a segment of `size_bytes`, which are charged, the open slab: the
  // retired one `recycled`, or a new one.  The one before is closed; it may be
  // dropped at once.
  Result<DroppedSegment> OpenSlab(
      uint64_t size_bytes, const std::optional<RetiredSegment>& recycled = {})
      EXCLUDES(table_->mutex);
  // So that eviction may take it.
  DroppedSegment CloseOpenSlab() EXCLUDES(table_->mutex);
  // Gives back an open slab that has no live object and got none since the last
  // call.
  DroppedSegment CloseIdleSlab() EXCLUDES(table_->mutex);
  // See SmallPuts::PutSmall.  Returns the charge besides the slab.  What its
  // creator must not have is not put: kOverQuota.
  uint64_t PutSmall(const Credentials& creator,
                    std::span<const SmallObject> objects,
                    std::vector<Status>* results) EXCLUDES(table_->mutex);
  // True if the open slab takes an object of `bytes`.
  bool HasRoom(uint64_t bytes) const EXCLUDES(table_->mutex);

 private:
  ObjectRef Place(const Credentials& creator, const SmallObject& small,
                  int64_t now_ns) REQUIRES(table_->mutex);
  // What `objects`, which are new, cost their creator.  Returns the charge
  // besides the slab.
  uint64_t Charge(const Payer& payer, std::span<const ObjectRef> objects)
      REQUIRES(table_->mutex);
  // Makes the placed objects visible, one after the other.  Returns their
  // number before the first failure, which `*failure` gets.
  size_t CommitPlaced(const std::vector<ObjectRef>& placed, PendingWakes* wakes,
                      Status* failure) REQUIRES(table_->mutex);

  TableState* const table_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_SLAB_OPS_H_
