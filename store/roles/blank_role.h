// See BlankSegments.
#ifndef VITRINE_STORE_ROLES_BLANK_ROLE_H_
#define VITRINE_STORE_ROLES_BLANK_ROLE_H_

#include "schema/base/mutex.h"
#include "store/base/roles.h"
#include "store/roles/store_parts.h"

namespace vitrine::store {

// `parts` must outlive it.
class BlankRole final : public BlankSegments {
 public:
  explicit BlankRole(StoreParts* parts) : parts_(parts) {}

  Result<ObjectRef> MakeBlank(const NewBlank& blank) override EXCLUDES(making_);
  Result<UniqueFd> OpenBlank(const ObjectRef& blank) override;
  Status SealBlank(const ObjectRef& blank, const BlankSeal& seal) override;
  void DropBlank(ObjectRef blank) override;

 private:
  Status CheckRoom(uint64_t bytes) const;
  // A retired segment with all of the memory, which is charged: one of the pool
  // if it suits, else a new one.
  Result<RetiredSegment> TakeSegment(const Audience& audience,
                                     uint64_t size_bytes);
  Result<RetiredSegment> MakeSegment(uint64_t size_bytes);

  StoreParts* const parts_;
  // Held while a blank is made: their number is looked at before.
  Mutex making_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_ROLES_BLANK_ROLE_H_
