// See ObjectViews.
#ifndef VITRINE_STORE_ROLES_VIEWS_ROLE_H_
#define VITRINE_STORE_ROLES_VIEWS_ROLE_H_

#include "store/base/roles.h"
#include "store/roles/store_parts.h"

namespace vitrine::store {

// `parts` must outlive it.
class ViewsRole final : public ObjectViews {
 public:
  explicit ViewsRole(StoreParts* parts) : parts_(parts) {}

  ObjectInfo Info(const ObjectRef& object) override;
  std::shared_ptr<const Metadata> GetMetadata(const ObjectRef& object) override;
  Result<UniqueFd> OpenForReading(const ObjectRef& object) override;
  Result<std::shared_ptr<SegmentFile>> Share(const ObjectRef& object) override;
  bool InUse(const ObjectRef& object) override;
  void Touch(const ObjectRef& object) override;
  std::string SegmentPath(const ObjectRef& object) override;
  std::vector<ObjectRef> List(ObjectState state) override;
  std::vector<ListedObject> Describe(std::span<const ObjectRef> objects,
                                     ObjectState state) override;

 private:
  StoreParts* const parts_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_ROLES_VIEWS_ROLE_H_
