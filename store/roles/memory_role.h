// See MemoryRequests.
#ifndef VITRINE_STORE_ROLES_MEMORY_ROLE_H_
#define VITRINE_STORE_ROLES_MEMORY_ROLE_H_

#include <functional>
#include <memory>
#include <optional>

#include "store/base/roles.h"
#include "store/roles/store_parts.h"

namespace vitrine::store {

// `parts` must outlive it.
class MemoryRole final : public MemoryRequests {
 public:
  explicit MemoryRole(StoreParts* parts) : parts_(parts) {}

  void CreateSized(const ObjectId& id, uint64_t size_bytes,
                   const NewObject& options, SpaceWait wait,
                   Done<ObjectRef> done) override;
  void Resize(const ObjectRef& object, uint64_t size_bytes, SpaceWait wait,
              Done<void> done) override;
  void Reserve(const ObjectRef& object, uint64_t offset_bytes,
               uint64_t size_bytes, SpaceWait wait, Done<void> done) override;
  Result<std::shared_ptr<const void>> ShareWithClient(
      const Payer& payer, uint64_t bytes, ClientMemoryNeed need) override {
    return parts_->client_memory->Take(payer, bytes, need);
  }

 private:
  // Create, with a recycled segment if one suits.
  Result<ObjectRef> CreateRecycled(const ObjectId& id, uint64_t size_bytes,
                                   const NewObject& options);
  // A request for memory of an object, until it is answered.
  struct Request {
    ObjectRef object;
    uint64_t needed_bytes;
    SpaceWait wait;
    std::function<Status()> then;  // Takes the memory.
    // May be empty.  Takes back what `then` did before it failed; returns the
    // charge that became free.
    std::function<int64_t()> undo;
    Done<void> done;
    // Set: a retired segment that suits will do instead of memory.
    struct Wanted {
      Audience audience;
      uint64_t size_bytes;
    };
    std::optional<Wanted> wanted = {};
    uint64_t charged_bytes = 0;  // Before the request.
  };
  using RequestRef = std::shared_ptr<Request>;

  Request GrowthOf(const ObjectRef& object, uint64_t size_bytes,
                   uint64_t before, SpaceWait wait, Done<void> done);

  // Charges the object for its first `needed_bytes`, then runs `then` and hands
  // its result to `done`.  The object cannot be sealed meanwhile.
  void WithCharge(Request request);
  // Waits for its turn.
  void Wait(const RequestRef& request);
  // Its owner waits, whoever asked.
  SpaceWait WaitOf(const Request& request) const;
  MemoryBudget::Wish WishOf(const RequestRef& request);
  void HandedOver(const RequestRef& request, RetiredSegment segment);
  // False: the segment is of no use, and may have been cut.
  bool Adopt(const Request& request, RetiredSegment* segment);
  // Ends its wait, if the object went before it waited.
  void EndIfGone(const RequestRef& request);
  // True: it is charged, or needs no more.
  bool TryCharge(const Request& request);
  // What happens once the budget has granted the request.
  Done<void> WhenGranted(const RequestRef& request);
  void Charged(const RequestRef& request);
  // Others have filled the file system: waits for an eviction and tries again.
  void WaitForOthers(const RequestRef& request, Status status);
  void Finish(const RequestRef& request, Status status);
  // Sets the size back to `before`, if nobody changed it after it was set to
  // `size_bytes`.
  int64_t Undo(const ObjectRef& object, uint64_t size_bytes, uint64_t before);
  uint64_t SizeOf(const ObjectRef& object) const;
  Status GrowNow(const ObjectRef& object, uint64_t size_bytes);
  Status ShrinkNow(const ObjectRef& object, uint64_t size_bytes);

  StoreParts* const parts_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_ROLES_MEMORY_ROLE_H_
