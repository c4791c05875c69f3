#include "store/table/sealed_ops.h"

#include <fcntl.h>

#include <unordered_set>
#include <utility>

#include "store/table/object_errors.h"

namespace vitrine::store {

Result<ObjectRef> SealedOps::FindSealed(const ObjectId& id) const {
  MutexLock lock(table_->mutex);
  return Find(id);
}

Result<ObjectRef> SealedOps::Find(const ObjectId& id) const {
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

std::vector<Result<SealedOps::Deleted>> SealedOps::DeleteMany(
    std::span<const ObjectId> ids, const Credentials& who) {
  std::vector<Result<Deleted>> results;
  std::vector<ObjectRef> going;
  std::unordered_set<uint64_t> numbers;  // An id may be there twice.
  MutexLock lock(table_->mutex);
  for (const ObjectId& id : ids) {
    auto object = Find(id);
    Status may = object ? CheckOwnedSealed(**object, who) : object.error();
    if (may && !numbers.insert((*object)->number).second) may = Gone(**object);
    if (may) {
      going.push_back(*object);
      results.emplace_back(Deleted{*std::move(object)});
    } else {
      results.emplace_back(may.error());
    }
  }
  if (!going.empty()) table_->log.RecordRemoved(going);
  for (Result<Deleted>& result : results) {
    if (!result) continue;
    result->dropped =
        table_->DropRecorded(result->object, ObjectEventKind::kDeleted);
  }
  return results;
}

Status SealedOps::SetHold(const ObjectRef& object, bool hold,
                          const Credentials& who) {
  MutexLock lock(table_->mutex);
  if (Status ok = CheckOwnedSealed(*object, who); !ok) return ok;
  if (object->hold == hold) return Status();
  if (hold) {
    Status ok =
        table_->accounts->Check(PayerOf(*object), OnlyOf(Resource::kHolds, 1));
    if (!ok) return ok;
  }
  if (Status ok = table_->log.RecordHold(object->number, hold); !ok) return ok;
  const Reckoning reckoning(table_->accounts, *object);
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
