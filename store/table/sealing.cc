#include "store/table/sealing.h"

#include <spdlog/spdlog.h>

#include "schema/base/wall_clock.h"
#include "store/table/object_errors.h"

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

Status Sealing::CommitSeal(const ObjectRef& object, PendingWakes* wakes) {
  Status recorded = table_->log.RecordSealed(*object);
  if (!recorded) return recorded;
  Status published = table_->Publish(object);
  if (!published) {
    table_->log.RecordRemoved({&object, 1});
    return published;
  }
  // Too late to fail, and Restore does it again; until it is done, clients
  // ask for a descriptor instead of opening the segment by name.
  if (Status ok = table_->segments->MakeReadOnly(object->number,
                                                 object->readable_by_all());
      !ok) {
    spdlog::error("sealing: {}", ok.error().ToString());
  }
  table_->NoteWaiters({&object, 1}, wakes);
  return Status();
}

Result<int64_t> Sealing::Seal(const ObjectRef& object, const ObjectId& id,
                              uint64_t most_bytes) {
  PendingWakes wakes;
  MutexLock lock(table_->mutex);
  if (Status ok = CheckIsWritable(*object); !ok) return ok.error();
  if (table_->directory.FindSealed(id.text()) != nullptr) return Taken(id);
  const auto file =
      table_->residency.Share(object.get());  // One for all that follows.
  if (Status ok = table_->residency.CheckNobodyWrites(object.get()); !ok)
    return ok.error();
  if (!table_->residency.HasItsPages(object.get())) {
    if (Status ok = table_->segments->TrimToSize(object->number); !ok) {
      return ok.error();
    }
  }
  SealAttempt attempt(object.get());
  int64_t freed = table_->residency.Settle(object.get());
  if (object->charged_bytes() < object->size_bytes) {
    Status filled = table_->residency.FillHoles(*object, most_bytes);
    if (!filled) return attempt.Undo(filled.error());
    freed += table_->residency.Settle(object.get());
  }
  attempt.TakeName(id);
  if (Status ok = CommitSeal(object, &wakes); !ok)
    return attempt.Undo(ok.error());
  table_->directory.RemoveUnsealed(attempt.old_id().text());
  table_->log.Notify(ObjectEventKind::kSealed, *object, attempt.old_id());
  return freed;
}

}  // namespace vitrine::store
