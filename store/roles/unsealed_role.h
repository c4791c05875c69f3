// See UnsealedObjects.
#ifndef VITRINE_STORE_ROLES_UNSEALED_ROLE_H_
#define VITRINE_STORE_ROLES_UNSEALED_ROLE_H_

#include "store/base/roles.h"
#include "store/roles/store_parts.h"

namespace vitrine::store {

// `parts` must outlive it.
class UnsealedRole final : public UnsealedObjects {
 public:
  explicit UnsealedRole(StoreParts* parts) : parts_(parts) {}

  Result<ObjectRef> Create(const ObjectId& id,
                           const NewObject& options) override;
  Result<UniqueFd> OpenForWriting(const ObjectRef& object) override;
  void NoteWritten(const ObjectRef& object, uint64_t end_bytes) override;
  Result<WriteMode> BeginWriting(const ObjectRef& object) override;
  void EndWriting(const ObjectRef& object, WriteMode mode) override;
  Status SetMode(const ObjectRef& object, mode_t mode) override;
  Status SetOwner(const ObjectRef& object, uid_t uid, gid_t gid) override;
  Status SetModified(const ObjectRef& object, int64_t modified_ns) override;
  Status SetMetadata(const ObjectRef& object, const std::string& name,
                     std::optional<std::string> value) override;
  Status Rename(const ObjectRef& object, const ObjectId& id,
                bool no_replace) override;
  Status Seal(const ObjectRef& object, const ObjectId& id) override;
  Status Abort(const ObjectRef& object) override;
  Result<ObjectRef> FindUnsealed(const ObjectId& id) override;

 private:
  // True if the evictor frees memory faster than one more unseen writer fills
  // it.
  bool EvictorKeepsAhead() const;
  // True if its user may take so much that an unseen writer is noticed before.
  bool HasQuotaLeft(const ObjectRef& object) const;

  StoreParts* const parts_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_ROLES_UNSEALED_ROLE_H_
