// See SealedObjects.
#ifndef VITRINE_STORE_ROLES_SEALED_ROLE_H_
#define VITRINE_STORE_ROLES_SEALED_ROLE_H_

#include "store/base/roles.h"
#include "store/roles/store_parts.h"

namespace vitrine::store {

// `parts` must outlive it.
class SealedRole final : public SealedObjects {
 public:
  explicit SealedRole(StoreParts* parts) : parts_(parts) {}

  Result<ObjectRef> FindSealed(const ObjectId& id) override;
  void Want(const ObjectId& id, SpaceWait wait, Done<void> done) override;
  Status Delete(const ObjectRef& object, const Credentials& who) override;
  std::vector<Status> DeleteMany(std::span<const ObjectId> ids,
                                 const Credentials& who) override;
  Status SetHold(const ObjectRef& object, bool hold,
                 const Credentials& who) override;
  void Evict(uint64_t bytes, Done<uint64_t> done) override;

 private:
  // The object was deleted: the tier needs no copy of it.
  void ForgetCopy(const ObjectRef& object);

  StoreParts* const parts_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_ROLES_SEALED_ROLE_H_
