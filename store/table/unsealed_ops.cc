#include "store/table/unsealed_ops.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "schema/base/wall_clock.h"
#include "store/table/object_errors.h"

namespace vitrine::store {
namespace {

Amounts CostOfNew(uint64_t bytes) {
  Amounts amounts = OnlyOf(Resource::kMemory, bytes);
  AmountOf(amounts, Resource::kObjects) = 1;
  AmountOf(amounts, Resource::kUnsealed) = 1;
  return amounts;
}

}  // namespace

Status UnsealedOps::CheckInsert(const Payer& payer, uint64_t bytes) const {
  return table_->accounts->Check(payer, CostOfNew(bytes));
}

Result<ObjectRef> UnsealedOps::Insert(
    const ObjectId& id, const NewObject& options,
    const std::optional<RetiredSegment>& recycled) {
  MutexLock lock(table_->mutex);
  if (table_->directory.IsTaken(id.text())) return Taken(id);
  const Payer payer = PayerOf(options.creator);
  const uint64_t bytes = MetadataCharge(options.metadata) +
                         (recycled ? recycled->allocated_bytes : 0);
  if (Status ok = CheckInsert(payer, bytes); !ok) return ok.error();
  const uint64_t number = table_->next_number++;
  const Status made =
      recycled ? table_->segments->Reinstate(recycled->number, number)
               : table_->segments->Create(number);
  if (!made) return made.error();
  const int64_t now_ns = NowNs();
  auto object = std::make_shared<ObjectRecord>(
      ObjectInfo{.number = number,
                 .id = id,
                 .mode = options.mode & 07777,
                 .uid = options.creator.uid,
                 .gid = options.creator.gid,
                 .creator_pid = options.creator.pid,
                 .created_ns = now_ns,
                 .modified_ns = now_ns});
  object->own->SetMetadata(std::make_shared<const Metadata>(options.metadata));
  object->own->through_mount = options.through_mount;
  if (recycled) {
    object->size_bytes = recycled->size_bytes;
    object->own->charged_bytes = recycled->allocated_bytes;
    object->own->recycled = true;
  }
  table_->accounts->ForceCharge(payer, ChargeOf(*object));
  table_->directory.AddUnsealed(object);
  table_->log.Notify(ObjectEventKind::kCreated, *object, id);
  return object;
}

Status UnsealedOps::CheckWritable(const ObjectRef& object) const {
  MutexLock lock(table_->mutex);
  return CheckIsWritable(*object);
}

Result<uint64_t> UnsealedOps::BeginChange(const ObjectRef& object) {
  MutexLock lock(table_->mutex);
  if (Status ok = CheckIsWritable(*object); !ok) return ok.error();
  ++object->own->pending_changes;
  return object->own->charged_bytes;
}

void UnsealedOps::EndChange(const ObjectRef& object) {
  MutexLock lock(table_->mutex);
  --object->own->pending_changes;
}

uint64_t UnsealedOps::RaiseCharge(const ObjectRef& object,
                                  uint64_t charged_bytes) {
  MutexLock lock(table_->mutex);
  return Raise(object.get(), charged_bytes);
}

uint64_t UnsealedOps::Raise(ObjectRecord* object, uint64_t charged_bytes) {
  if (!object->may_grow()) return 0;
  uint64_t& charged = object->own->charged_bytes;
  if (charged_bytes <= charged) return 0;
  const Reckoning reckoning(table_->accounts, *object);
  return charged_bytes - std::exchange(charged, charged_bytes);
}

Status UnsealedOps::CheckRaise(const ObjectRef& object,
                               uint64_t charged_bytes) const {
  MutexLock lock(table_->mutex);
  return MayRaise(*object, charged_bytes);
}

Status UnsealedOps::MayRaise(const ObjectRecord& object,
                             uint64_t charged_bytes) const {
  if (!object.may_grow()) return Status();
  const uint64_t charged = object.own->charged_bytes;
  if (charged_bytes <= charged) return Status();
  return table_->CheckMemory(object, charged_bytes - charged);
}

Result<uint64_t> UnsealedOps::TryRaiseCharge(const ObjectRef& object,
                                             uint64_t charged_bytes) {
  MutexLock lock(table_->mutex);
  if (Status ok = MayRaise(*object, charged_bytes); !ok) return ok.error();
  return Raise(object.get(), charged_bytes);
}

Result<UnsealedOps::Lowered> UnsealedOps::LowerCharge(const ObjectRef& object) {
  MutexLock lock(table_->mutex);
  if (Status ok = CheckIsWritable(*object); !ok) return ok.error();
  if (object->own->pending_changes > 1) {
    return Error{Code::kInUse, "another change is under way"};
  }
  const Reckoning reckoning(table_->accounts, *object);
  const int64_t freed = table_->residency.Settle(object.get());
  return Lowered{object->own->charged_bytes, freed};
}

Status UnsealedOps::Adopt(const ObjectRef& object, const Audience& audience,
                          const RetiredSegment& segment) {
  MutexLock lock(table_->mutex);
  if (Status ok = CheckIsWritable(*object); !ok) return ok;
  OwnSegment& own = *object->own;
  if (object->audience() != audience || object->size_bytes > 0 ||
      own.charged_bytes > 0 || own.pending_changes > 1 ||
      own.passthrough_writers > 0 || own.carried_writers > 0 ||
      table_->residency.OthersHave(object.get())) {
    return Error{Code::kInUse, "somebody else has it"};
  }
  if (Status ok = table_->CheckMemory(*object, segment.allocated_bytes); !ok) {
    return ok;
  }
  const Reckoning reckoning(table_->accounts, *object);
  Status done = table_->segments->Reinstate(segment.number, object->number);
  if (!done) return done;
  own.shared.reset();  // That was the empty one.
  object->size_bytes = segment.size_bytes;
  own.charged_bytes = segment.allocated_bytes;
  own.recycled = true;
  own.modified_ns = NowNs();
  return Status();
}

Status UnsealedOps::BeginWriting(const ObjectRef& object, WriteMode mode,
                                 PageHolder holder) {
  MutexLock lock(table_->mutex);
  if (Status ok = CheckIsWritable(*object); !ok) return ok;
  object->own->holders.Add(holder);
  ++(mode == WriteMode::kPassthrough ? object->own->passthrough_writers
                                     : object->own->carried_writers);
  return Status();
}

int64_t UnsealedOps::EndWriting(const ObjectRef& object, WriteMode mode) {
  MutexLock lock(table_->mutex);
  --(mode == WriteMode::kPassthrough ? object->own->passthrough_writers
                                     : object->own->carried_writers);
  if (!object->writable() || object->has_writers()) return 0;
  if (Status ok = table_->segments->TrimToSize(object->number); !ok) {
    spdlog::warn("trimming: {}", ok.error().ToString());
  }
  const Reckoning reckoning(table_->accounts, *object);
  return table_->residency.Settle(object.get());
}

void UnsealedOps::NoteWritten(const ObjectRef& object, uint64_t end_bytes) {
  MutexLock lock(table_->mutex);
  if (!object->writable()) return;
  object->size_bytes = std::max(object->size_bytes, end_bytes);
}

Result<int64_t> UnsealedOps::SetSize(const ObjectRef& object,
                                     uint64_t size_bytes) {
  MutexLock lock(table_->mutex);
  if (Status ok = CheckIsWritable(*object); !ok) return ok.error();
  const uint64_t before = object->size_bytes;
  if (Status ok = table_->segments->SetSize(object->number, size_bytes); !ok) {
    return ok.error();
  }
  object->size_bytes = size_bytes;
  object->own->recycled &= size_bytes <= before;
  object->own->modified_ns = NowNs();
  const Reckoning reckoning(table_->accounts, *object);
  const bool settles = size_bytes < before && object->own->pending_changes <= 1;
  return settles ? table_->residency.Settle(object.get()) : int64_t{0};
}

Result<UniqueFd> UnsealedOps::OpenForWriting(const ObjectRef& object,
                                             PageHolder holder) {
  MutexLock lock(table_->mutex);
  if (Status ok = CheckIsWritable(*object); !ok) return ok.error();
  object->own->holders.Add(holder);
  return table_->segments->OpenFresh(object->number, O_RDWR);
}

Status UnsealedOps::SetMode(const ObjectRef& object, mode_t mode) {
  MutexLock lock(table_->mutex);
  if (Status ok = CheckIsWritable(*object); !ok) return ok;
  object->mode = static_cast<uint16_t>(mode & 07777);
  return Status();
}

Status UnsealedOps::SetOwner(const ObjectRef& object, uid_t uid, gid_t gid) {
  MutexLock lock(table_->mutex);
  if (Status ok = CheckIsWritable(*object); !ok) return ok;
  const Payer payer{uid, gid};
  Status ok =
      table_->accounts->CheckMove(PayerOf(*object), payer, ChargeOf(*object));
  if (!ok) return ok;
  const Reckoning reckoning(table_->accounts, *object);
  object->uid = uid;
  object->gid = gid;
  return Status();
}

Status UnsealedOps::SetModified(const ObjectRef& object, int64_t modified_ns) {
  MutexLock lock(table_->mutex);
  if (Status ok = CheckIsWritable(*object); !ok) return ok;
  object->own->modified_ns = modified_ns;
  return table_->segments->SetModified(object->number, modified_ns);
}

Result<int64_t> UnsealedOps::SetMetadata(const ObjectRef& object,
                                         const std::string& name,
                                         std::optional<std::string> value) {
  MutexLock lock(table_->mutex);
  if (Status ok = CheckIsWritable(*object); !ok) return ok.error();
  auto changed = std::make_shared<Metadata>(object->metadata());
  if (value) {
    (*changed)[name] = *std::move(value);
  } else if (changed->erase(name) == 0) {
    return Error{Code::kNotFound, "no metadata `" + name + "`"};
  }
  if (Status ok = CheckMetadata(*changed); !ok) return ok.error();
  const uint64_t charge = MetadataCharge(*changed);
  const uint64_t grown = charge - std::min(charge, object->overhead_bytes());
  if (Status ok = table_->CheckMemory(*object, grown); !ok) return ok.error();
  const Reckoning reckoning(table_->accounts, *object);
  const uint64_t before = std::exchange(object->own->overhead_bytes, charge);
  object->own->metadata = std::move(changed);
  return static_cast<int64_t>(charge) - static_cast<int64_t>(before);
}

Status UnsealedOps::Rename(const ObjectRef& object, const ObjectId& id,
                           bool no_replace, DroppedSegment* replaced) {
  MutexLock lock(table_->mutex);
  if (Status ok = CheckIsWritable(*object); !ok) return ok;
  const ObjectId old_id = object->id.ToObjectId();
  if (old_id == id) return Status();
  const ObjectRef other = table_->directory.FindUnsealed(id.text());
  if (table_->directory.FindSealed(id.text()) != nullptr ||
      (no_replace && other != nullptr)) {
    return Taken(id);
  }
  if (other != nullptr)
    *replaced = table_->Drop(other, ObjectEventKind::kAborted);
  table_->directory.RemoveUnsealed(old_id.text());
  object->id = SmallId(id);
  table_->directory.AddUnsealed(object);
  table_->log.Notify(ObjectEventKind::kRenamed, *object, old_id);
  return Status();
}

Result<DroppedSegment> UnsealedOps::Abort(const ObjectRef& object) {
  MutexLock lock(table_->mutex);
  if (Status ok = CheckIsUnsealed(*object); !ok) return ok.error();
  return table_->Drop(object, ObjectEventKind::kAborted);
}

Result<DroppedSegment> UnsealedOps::AbortUnused(const ObjectRef& object,
                                                int64_t modified_ns) {
  MutexLock lock(table_->mutex);
  if (Status ok = CheckIsWritable(*object); !ok) return ok.error();
  table_->residency.RefreshExtent(object.get());
  if (object->own->modified_ns != modified_ns ||
      table_->residency.IsOpen(object.get())) {
    return Error{Code::kInUse, "somebody uses it"};
  }
  return table_->Drop(object, ObjectEventKind::kAborted);
}

std::vector<ObjectRef> UnsealedOps::ListThroughMount() const {
  std::vector<ObjectRef> objects;
  MutexLock lock(table_->mutex);
  for (auto& [number, object] :
       table_->directory.List(ObjectState::kUnsealed)) {
    if (object->own->through_mount) objects.push_back(std::move(object));
  }
  return objects;
}

Result<ObjectRef> UnsealedOps::FindUnsealed(const ObjectId& id) const {
  MutexLock lock(table_->mutex);
  if (ObjectRef found = table_->directory.FindUnsealed(id.text())) return found;
  return Error{Code::kNotFound, "no unsealed object `" + id.text() + "`"};
}

}  // namespace vitrine::store
