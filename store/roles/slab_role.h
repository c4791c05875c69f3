// See SmallPuts.
#ifndef VITRINE_STORE_ROLES_SLAB_ROLE_H_
#define VITRINE_STORE_ROLES_SLAB_ROLE_H_

#include <optional>

#include "store/base/roles.h"
#include "store/roles/store_parts.h"

namespace vitrine::store {

// `parts` must outlive it.
class SlabRole final : public SmallPuts {
 public:
  explicit SlabRole(StoreParts* parts) : parts_(parts) {}

  // Once there is a budget.
  void SetUp();
  // AddRoom, for an object of `bytes` that exists already, in a store that may
  // take no new ones.
  void AddRoomFor(uint64_t bytes, SpaceWait wait, Done<void> done,
                  const void* whose);
  // Gives back the memory of nearly empty slabs.
  void CompactSlabs();

  uint64_t small_object_bytes() const override { return small_object_bytes_; }
  void PutSmall(const Credentials& creator,
                std::span<const SmallObject> objects,
                std::vector<Status>* results) override;
  void AddRoom(SpaceWait wait, Done<void> done,
               const void* whose = nullptr) override;
  void EndWaitsForRoom(const void* whose) override;

 private:
  // A slab with room for `needed_bytes`, unless there is one.  `recycled`: the
  // segment to use; none: its memory is charged.  If it fails, both stay the
  // caller's.
  Status OpenSlab(const std::optional<RetiredSegment>& recycled,
                  uint64_t needed_bytes);
  // One of the pool, if there is any.
  std::optional<RetiredSegment> TakeSlab();
  void GiveUpSlab(const std::optional<RetiredSegment>& recycled);
  // Makes room, and the slab after that ready.
  Status AddSlab(const std::optional<RetiredSegment>& recycled,
                 uint64_t needed_bytes);
  // A request for room, until it is answered.
  struct Request {
    uint64_t bytes;
    SpaceWait wait;
    Done<void> done;
    const void* whose;
  };
  // A slab that was evicted for it.
  MemoryBudget::Wish WishOf(const Request& request);
  void HandedOver(const RetiredSegment& segment, const Request& request);
  // What happens once the budget has granted a slab.
  Done<void> WhenGranted(const Request& request);
  // AddSlab, and waits if others have filled the file system.
  void AddOrWait(const std::optional<RetiredSegment>& recycled,
                 const Request& request);

  uint64_t slab_bytes_ = 0;
  uint64_t small_object_bytes_ = 0;

  StoreParts* const parts_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_ROLES_SLAB_ROLE_H_
