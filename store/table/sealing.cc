#include "store/table/sealing.h"

#include <spdlog/spdlog.h>

#include <algorithm>

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
        old_state_(object->state),
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
    object_->state = old_state_;
    object_->sealed_ns = object_->used_ns = 0;
    return error;
  }
  const ObjectId& old_id() const { return old_id_; }

 private:
  ObjectRecord* const object_;
  const ObjectId old_id_;
  const ObjectState old_state_;
  const uint64_t size_bytes_;
  const uint64_t charged_bytes_;
};

// What an object has that is created and sealed by one request.
void NameBlank(ObjectRecord* blank, const BlankSeal& seal) {
  blank->own->SetMetadata(seal.metadata);
  blank->own->created_ns = blank->own->modified_ns = NowNs();
}

}  // namespace

Status Sealing::CommitSeal(const ObjectRef& object, PendingWakes* wakes) {
  object->own->sealed_after = table_->clients->Departures();
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

bool Sealing::BeginRenewal(ObjectRecord* object) {
  OwnSegment& own = *object->own;
  own.renewing = object->size_bytes > 0 && own.holders.NeedNewPages(policy_);
  return own.renewing;
}

void Sealing::EndRenewal(const ObjectRef& object, bool renewed) {
  MutexLock lock(table_->mutex);
  object->own->renewing = false;
  if (renewed) object->own->holders = {};
}

Result<Sealing::Step> Sealing::Seal(const ObjectRef& object, const ObjectId& id,
                                    uint64_t most_bytes) {
  PendingWakes wakes;
  MutexLock lock(table_->mutex);
  if (Status ok = CheckIsWritable(*object); !ok) return ok.error();
  if (table_->directory.FindSealed(id.text()) != nullptr) return Taken(id);
  const auto file =
      table_->residency.Share(object.get());  // One for all that follows.
  if (Status ok = table_->residency.CheckNobodyWrites(object.get()); !ok)
    return ok.error();
  const Reckoning reckoning(table_->accounts, *object);
  SealAttempt attempt(object.get());
  auto freed = MakeWhole(object.get(), most_bytes);
  if (!freed) return attempt.Undo(freed.error());
  if (BeginRenewal(object.get())) return Step{*freed, object->size_bytes};
  attempt.TakeName(id);
  if (Status ok = CommitSeal(object, &wakes); !ok)
    return attempt.Undo(ok.error());
  table_->directory.RemoveUnsealed(attempt.old_id().text());
  table_->log.Notify(ObjectEventKind::kSealed, *object, attempt.old_id());
  return Step{*freed};
}

Result<Sealing::Step> Sealing::SealBlank(const ObjectRef& blank,
                                         const BlankSeal& seal) {
  PendingWakes wakes;
  MutexLock lock(table_->mutex);
  if (Status ok = CheckIsBlank(*blank); !ok) return ok.error();
  if (Status ok = CheckIsNotRenewing(*blank); !ok) return ok.error();
  if (seal.size_bytes > blank->size_bytes) {
    return Error{Code::kInvalidArgument, "the blank is smaller"};
  }
  if (table_->directory.IsTaken(seal.id.text())) return Taken(seal.id);
  const auto file = table_->residency.Share(blank.get());
  if (Status ok = table_->residency.CheckNobodyWrites(blank.get()); !ok)
    return ok.error();
  // Its client did something else than to write to it: to make it whole might
  // take long.
  if (!table_->residency.IsUnchanged(blank.get())) {
    return Error{Code::kInvalidArgument, "the blank's file was changed"};
  }
  if (Status ok = CheckQuota(*blank, seal); !ok) return ok.error();
  // All of it, whatever its size becomes: pages beyond it were the client's,
  // too.
  if (BeginRenewal(blank.get())) return Step{0, blank->size_bytes};
  const Reckoning reckoning(table_->accounts, *blank);
  const uint64_t given_bytes = blank->size_bytes;
  SealAttempt attempt(blank.get());
  auto freed = table_->residency.CutTo(blank.get(), seal.size_bytes);
  if (!freed) return attempt.Undo(freed.error());
  NameBlank(blank.get(), seal);
  attempt.TakeName(seal.id);
  if (Status ok = CommitSeal(blank, &wakes); !ok)
    return attempt.Undo(ok.error());
  table_->blanks.erase(blank->number);
  table_->blank_bytes -= given_bytes;
  table_->log.Notify(ObjectEventKind::kSealed, *blank);
  return Step{*freed - static_cast<int64_t>(blank->own->overhead_bytes)};
}

Status Sealing::CheckQuota(const ObjectRecord& blank,
                           const BlankSeal& seal) const {
  const uint64_t cost = table_->residency.WholePages(seal.size_bytes) +
                        MetadataCharge(MetadataOf(seal.metadata));
  Amounts more = OnlyOf(Resource::kObjects, 1);
  AmountOf(more, Resource::kMemory) = cost - std::min(cost, blank.cost_bytes());
  return table_->accounts->Check(PayerOf(blank), more);
}

Result<int64_t> Sealing::MakeWhole(ObjectRecord* object, uint64_t most_bytes) {
  if (!table_->residency.HasItsPages(object)) {
    if (Status ok = table_->segments->TrimToSize(object->number); !ok) {
      return ok.error();
    }
  }
  const int64_t freed = table_->residency.Settle(object);
  if (object->charged_bytes() >= object->size_bytes) return freed;
  const uint64_t holes = table_->residency.WholePages(object->size_bytes) -
                         object->charged_bytes();
  if (Status ok = table_->CheckMemory(*object, holes); !ok) return ok.error();
  Status filled = table_->residency.FillHoles(*object, most_bytes);
  if (!filled) return filled.error();
  return freed + table_->residency.Settle(object);
}

}  // namespace vitrine::store
