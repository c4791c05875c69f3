#include "store/roles/views_role.h"

namespace vitrine::store {

ObjectInfo ViewsRole::Info(const ObjectRef& object) {
  return parts_->table->queries().Info(object);
}

std::shared_ptr<const Metadata> ViewsRole::GetMetadata(
    const ObjectRef& object) {
  return parts_->table->queries().GetMetadata(object);
}

Result<UniqueFd> ViewsRole::OpenForReading(const ObjectRef& object) {
  return parts_->table->sealed().OpenForReading(object);
}

Result<std::shared_ptr<SegmentFile>> ViewsRole::Share(const ObjectRef& object) {
  return parts_->table->sealed().Lend(object);
}

bool ViewsRole::InUse(const ObjectRef& object) {
  return parts_->table->queries().InUse(object);
}

void ViewsRole::Touch(const ObjectRef& object) {
  parts_->table->sealed().Touch(object);
}

std::string ViewsRole::SegmentPath(const ObjectRef& object) {
  return parts_->table->sealed().TellPath(object);
}

std::vector<ObjectRef> ViewsRole::List(ObjectState state) {
  return parts_->table->queries().List(state);
}

std::vector<ListedObject> ViewsRole::Describe(
    std::span<const ObjectRef> objects, ObjectState state) {
  return parts_->table->queries().Describe(objects, state);
}

}  // namespace vitrine::store
