// See MemoryRequests.
#ifndef VITRINE_STORE_ROLES_MEMORY_ROLE_H_
#define VITRINE_STORE_ROLES_MEMORY_ROLE_H_

#include <functional>

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

 private:
  // Create, with a recycled segment if one suits.
  Result<ObjectRef> CreateRecycled(const ObjectId& id, uint64_t size_bytes,
                                   const NewObject& options);
  // Charges the object for its first `needed_bytes`, then runs `then` and
  // hands its result to `done`.  The object cannot be sealed meanwhile.
  void WithCharge(const ObjectRef& object, uint64_t needed_bytes,
                  SpaceWait wait, std::function<Status()> then,
                  Done<void> done);
  void Charged(const ObjectRef& object, uint64_t needed_bytes,
               uint64_t charged_bytes, const std::function<Status()>& then,
               const Done<void>& done);
  Status GrowNow(const ObjectRef& object, uint64_t size_bytes);
  Status ShrinkNow(const ObjectRef& object, uint64_t size_bytes);

  StoreParts* const parts_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_ROLES_MEMORY_ROLE_H_
