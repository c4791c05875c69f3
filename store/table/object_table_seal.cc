// Sealing: how an object becomes visible and immutable.
#include <spdlog/spdlog.h>

#include <span>

#include "schema/base/wall_clock.h"
#include "store/table/object_errors.h"
#include "store/table/object_table.h"

namespace vitrine::store {
namespace {

// What a seal changes before it is sure of itself.
class SealAttempt {
 public:
  explicit SealAttempt(ObjectRecord* object)
      : object_(object),
        old_id_(object->id.ToObjectId()),
        size_bytes_(object->size_bytes),
        charged_bytes_(object->own->charged_bytes) {}
  void TakeName(const ObjectId& id) {
    object_->id = SmallId(id);
    object_->state = ObjectState::kSealed;
    object_->sealed_ns = object_->used_ns = NowNs();
  }
  Error Undo(const Error& error) {
    object_->size_bytes = size_bytes_;
    object_->own->charged_bytes = charged_bytes_;
    object_->id = SmallId(old_id_);
    object_->state = ObjectState::kUnsealed;
    object_->sealed_ns = object_->used_ns = 0;
    return error;
  }
  const ObjectId& old_id() const { return old_id_; }

 private:
  ObjectRecord* const object_;
  const ObjectId old_id_;
  const uint64_t size_bytes_;
  const uint64_t charged_bytes_;
};

}  // namespace

Status ObjectTable::Publish(const ObjectRef& object) {
  if (Status ok = directory_.Publish(object); !ok) return ok;
  if (object->hold) CountHold(*object, true);
  if (object->slab != nullptr) {
    slabs_.Add(*object);
  } else if (!object->hold) {
    evictable_.Add(&object->own->eviction, object->cost_bytes());
  }
  return Status();
}

void ObjectTable::Unpublish(ObjectRecord* object) {
  if (object->hold) CountHold(*object, false);
  if (object->slab != nullptr) {
    slabs_.Remove(*object);
  } else {
    evictable_.Remove(&object->own->eviction, object->cost_bytes());
  }
  directory_.Unpublish(object);
}

Status ObjectTable::CommitSeal(const ObjectRef& object, PendingWakes* wakes) {
  Status recorded = log_.RecordSealed(*object);
  if (!recorded) return recorded;
  Status published = Publish(object);
  if (!published) {
    log_.RecordRemoved({&object, 1});
    return published;
  }
  // Too late to fail, and Restore does it again; until it is done, clients
  // ask for a descriptor instead of opening the segment by name.
  if (Status ok =
          segments_->MakeReadOnly(object->number, object->readable_by_all());
      !ok) {
    spdlog::error("sealing: {}", ok.error().ToString());
  }
  NoteWaiters({&object, 1}, wakes);
  return Status();
}

void ObjectTable::NoteWaiters(std::span<const ObjectRef> published,
                              PendingWakes* wakes) {
  const uint64_t awaited = clients_->AwaitedBuckets();
  if (awaited == 0) return;
  for (const ObjectRef& object : published) {
    const auto* futex = directory_.index().AwaitedFutex(object->slot, awaited);
    if (futex != nullptr) wakes->Add(futex);
  }
}

Result<int64_t> ObjectTable::Seal(const ObjectRef& object, const ObjectId& id,
                                  uint64_t most_bytes) {
  PendingWakes wakes;
  MutexLock lock(mutex_);
  if (Status ok = CheckWritableLocked(*object); !ok) return ok.error();
  if (directory_.FindSealed(id.text()) != nullptr) return Taken(id);
  const auto file =
      residency_.Share(object.get());  // One for all that follows.
  if (Status ok = residency_.CheckNobodyWrites(object.get()); !ok)
    return ok.error();
  if (!residency_.HasItsPages(object.get())) {
    if (Status ok = segments_->TrimToSize(object->number); !ok) {
      return ok.error();
    }
  }
  SealAttempt attempt(object.get());
  int64_t freed = residency_.Settle(object.get());
  if (object->charged_bytes() < object->size_bytes) {
    Status filled = residency_.FillHoles(*object, most_bytes);
    if (!filled) return attempt.Undo(filled.error());
    freed += residency_.Settle(object.get());
  }
  attempt.TakeName(id);
  if (Status ok = CommitSeal(object, &wakes); !ok)
    return attempt.Undo(ok.error());
  directory_.RemoveUnsealed(attempt.old_id().text());
  log_.Notify(ObjectEventKind::kSealed, *object, attempt.old_id());
  return freed;
}

}  // namespace vitrine::store
