#include "store/table/returning.h"

#include "store/table/object_errors.h"

namespace vitrine::store {

Status Returning::CheckElsewhere(const ObjectRecord& object) {
  if (object.state == ObjectState::kGone) return Gone(object);
  if (object.elsewhere) return Status();
  return Error{Code::kAlreadyExists,
               Quoted(object.id.text()) + " is in memory"};
}

// The record comes first: a restart that finds no segment looks in the tier.
Status Returning::Return(const ObjectRef& object,
                         const RetiredSegment& segment) {
  PendingWakes wakes;
  MutexLock lock(table_->mutex);
  if (Status ok = CheckElsewhere(*object); !ok) return ok;
  JournaledObject record = object->Journaled();
  record.info.elsewhere = false;
  record.info.charged_bytes = segment.allocated_bytes;
  if (Status ok = table_->log.RecordReturned(record); !ok) return ok;
  if (Status ok = table_->residency.PutBack(object.get(), segment); !ok) {
    (void)table_->log.RecordDeparted({&object, 1});
    return ok;
  }
  table_->Return(object, nullptr, 0, &wakes);
  return Status();
}

Result<bool> Returning::ReturnSmall(const ObjectRef& object,
                                    std::span<const std::byte> bytes) {
  PendingWakes wakes;
  MutexLock lock(table_->mutex);
  if (Status ok = CheckElsewhere(*object); !ok) return ok.error();
  if (!table_->slabs.HasRoom(bytes.size())) return false;
  Slab* const slab = table_->slabs.open();
  const uint64_t end_bytes = slab->end_bytes();
  JournaledObject record = object->Journaled();
  ObjectInfo& info = record.info;
  info.elsewhere = false;
  info.slab = slab->segment();
  info.offset_bytes = slab->Place(bytes, object->metadata_charge());
  if (Status ok = table_->log.RecordReturned(record); !ok) {
    slab->Rewind(end_bytes);  // Nobody has been told of the place.
    return ok.error();
  }
  table_->Return(object, slab, info.offset_bytes, &wakes);
  return true;
}

}  // namespace vitrine::store
