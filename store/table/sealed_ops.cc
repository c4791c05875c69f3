#include "store/table/sealed_ops.h"

#include <fcntl.h>

#include "store/table/object_errors.h"

namespace vitrine::store {

Result<ObjectRef> SealedOps::FindSealed(const ObjectId& id) const {
  MutexLock lock(table_->mutex);
  if (ObjectRef found = table_->directory.FindSealed(id.text())) return found;
  if (table_->directory.FindUnsealed(id.text()) != nullptr) {
    return Error{Code::kNotSealed, Quoted(id.text()) + " is being written"};
  }
  return Error{Code::kNotFound, "no object " + Quoted(id.text())};
}

Result<DroppedSegment> SealedOps::Delete(const ObjectRef& object,
                                         const Credentials& who) {
  MutexLock lock(table_->mutex);
  if (Status ok = CheckOwnedSealed(*object, who); !ok) return ok.error();
  return table_->Drop(object, ObjectEventKind::kDeleted);
}

Status SealedOps::SetHold(const ObjectRef& object, bool hold,
                          const Credentials& who) {
  MutexLock lock(table_->mutex);
  if (Status ok = CheckOwnedSealed(*object, who); !ok) return ok;
  if (object->hold == hold) return Status();
  if (Status ok = table_->log.RecordHold(object->number, hold); !ok) return ok;
  object->hold = hold;
  table_->CountHold(*object, hold);
  if (object->has_own_segment() && hold) {
    table_->evictable.Remove(&object->own->eviction, object->cost_bytes());
  } else if (object->has_own_segment()) {
    table_->evictable.Add(&object->own->eviction, object->cost_bytes());
  }
  table_->log.Notify(ObjectEventKind::kHoldChanged, *object);
  return Status();
}

void SealedOps::Touch(const ObjectRef& object) {
  MutexLock lock(table_->mutex);
  if (object->state == ObjectState::kSealed) table_->Touch(object.get());
}

Result<UniqueFd> SealedOps::OpenForReading(const ObjectRef& object) const {
  MutexLock lock(table_->mutex);
  if (object->state == ObjectState::kGone) return Gone(*object);
  if (object->elsewhere) return Elsewhere(*object);
  return table_->segments->OpenFresh(object->segment(), O_RDONLY);
}

Result<std::shared_ptr<SegmentFile>> SealedOps::Share(const ObjectRef& object) {
  MutexLock lock(table_->mutex);
  return table_->residency.Share(object.get());
}

Result<std::shared_ptr<SegmentFile>> SealedOps::Lend(const ObjectRef& object) {
  MutexLock lock(table_->mutex);
  // It may be retired by now: too late to say that it must not be.
  if (object->state == ObjectState::kGone) return Gone(*object);
  if (object->own != nullptr) object->own->recyclable = false;
  return table_->residency.Share(object.get());
}

std::string SealedOps::TellPath(const ObjectRef& object) {
  MutexLock lock(table_->mutex);
  if (object->own != nullptr) object->own->recyclable = false;
  return table_->segments->PathOf(object->segment());
}

}  // namespace vitrine::store
