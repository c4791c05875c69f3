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

  Result<ObjectRef> MakeBlank(const NewBlank& blank) override EXCLUDES(mutex_);
  Result<UniqueFd> OpenBlank(const ObjectRef& blank) override;
  void SealBlank(const ObjectRef& blank, const BlankSeal& seal,
                 Done<void> done) override;
  void DropBlank(ObjectRef blank) override;

 private:
  // Counts `bytes` as those of a blank that is being made.  kOutOfMemory: the
  // blanks have their part.
  Status Begin(uint64_t bytes) EXCLUDES(mutex_);
  void End(uint64_t bytes) EXCLUDES(mutex_);
  Result<ObjectRef> Make(const NewBlank& blank);
  // A retired segment with all of the memory, which is charged: one of the pool
  // if it suits, else a new one.
  Result<RetiredSegment> TakeSegment(const Audience& audience,
                                     uint64_t size_bytes);
  Result<RetiredSegment> MakeSegment(uint64_t size_bytes);
  bool HasItsPages(const RetiredSegment& segment) const;

  StoreParts* const parts_;
  Mutex mutex_;
  uint64_t making_bytes_ GUARDED_BY(mutex_) = 0;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_ROLES_BLANK_ROLE_H_
