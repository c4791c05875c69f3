#include "store/roles/unsealed_role.h"

#include <algorithm>
#include <utility>

namespace vitrine::store {
namespace {

// What a passthrough writer may write before the evictor reacts, and before his
// user's quota is noticed.
constexpr uint64_t kRunwayBytes = 64 << 20;
// An eviction takes some 15 us; a writer, 4 GB/s.
constexpr uint64_t kQuickVictimBytes = 64 << 10;

}  // namespace

Result<ObjectRef> UnsealedRole::Create(const ObjectId& id,
                                       const NewObject& options) {
  return parts_->CreateIn(id, options, std::nullopt);
}

Result<ObjectRef> UnsealedRole::FindUnsealed(const ObjectId& id) {
  return parts_->table->unsealed().FindUnsealed(id);
}

Result<UniqueFd> UnsealedRole::OpenForWriting(const ObjectRef& object,
                                              PageHolder holder) {
  return parts_->table->unsealed().OpenForWriting(object, holder);
}

void UnsealedRole::NoteWritten(const ObjectRef& object, uint64_t end_bytes) {
  parts_->table->unsealed().NoteWritten(object, end_bytes);
}

bool UnsealedRole::EvictorKeepsAhead() const {
  const MemoryBudget::Numbers budget = parts_->budget->Get();
  // In a file system of others, too.
  const uint64_t left = parts_->segments.FreeBytes();
  if (left < kRunwayBytes && left + budget.parked_bytes < kRunwayBytes) {
    return false;
  }
  const uint64_t limit = budget.capacity_bytes - budget.lacking_bytes +
                         parts_->place->overshoot_bytes();
  // What is parked counts as free, here and below: it is given back at once.
  const uint64_t room = limit - std::min(limit, budget.used_bytes);
  if (room / (parts_->watch->Count().writers + 1) < kRunwayBytes) return false;
  const TableQueries::Victims victims =
      parts_->table->queries().CountEvictable();
  const bool fast = victims.bytes >= victims.segments * kQuickVictimBytes;
  const uint64_t free = budget.capacity_bytes -
                        std::min(budget.capacity_bytes, budget.used_bytes);
  if (victims.segments > 0 && fast) return true;
  // Few bytes a victim, or no victim: only what is free already counts.
  return free >= std::max(kRunwayBytes,
                          victims.segments > 0 ? budget.capacity_bytes / 4 : 0);
}

bool UnsealedRole::HasQuotaLeft(const ObjectRef& object) const {
  const Amounts room =
      parts_->accounts.RoomOf(PayerOf(parts_->table->queries().Info(object)));
  return AmountOf(room, Resource::kMemory) >= kRunwayBytes;
}

Result<WriteMode> UnsealedRole::BeginWriting(const ObjectRef& object,
                                             PageHolder holder) {
  const WriteMode mode = EvictorKeepsAhead() && HasQuotaLeft(object)
                             ? WriteMode::kPassthrough
                             : WriteMode::kCarried;
  if (Status ok = parts_->table->unsealed().BeginWriting(object, mode, holder);
      !ok) {
    return ok.error();
  }
  if (mode == WriteMode::kPassthrough) parts_->watch->Add(object);
  return mode;
}

void UnsealedRole::EndWriting(const ObjectRef& object, WriteMode mode) {
  if (mode == WriteMode::kPassthrough) parts_->watch->Remove(object);
  parts_->GiveBack(parts_->table->unsealed().EndWriting(object, mode));
  if (parts_->place->huge_pages()) parts_->housekeeper->Collapse(object);
}

Status UnsealedRole::SetMode(const ObjectRef& object, mode_t mode) {
  return parts_->table->unsealed().SetMode(object, mode);
}

Status UnsealedRole::SetOwner(const ObjectRef& object, uid_t uid, gid_t gid) {
  return parts_->table->unsealed().SetOwner(object, uid, gid);
}

Status UnsealedRole::SetModified(const ObjectRef& object, int64_t modified_ns) {
  return parts_->table->unsealed().SetModified(object, modified_ns);
}

Status UnsealedRole::SetMetadata(const ObjectRef& object,
                                 const std::string& name,
                                 std::optional<std::string> value) {
  auto grown =
      parts_->table->unsealed().SetMetadata(object, name, std::move(value));
  if (!grown) return grown.error();
  parts_->GiveBack(-*grown);
  return Status();
}

Status UnsealedRole::Rename(const ObjectRef& object, const ObjectId& id,
                            bool no_replace) {
  const auto victim = parts_->table->unsealed().FindUnsealed(id);
  DroppedSegment replaced;
  Status renamed =
      parts_->table->unsealed().Rename(object, id, no_replace, &replaced);
  parts_->DropNow(std::move(replaced));
  if (victim && !parts_->table->unsealed().CheckWritable(*victim)) {
    parts_->budget->EndWaitsOf(victim->get());
  }
  return renamed;
}

void UnsealedRole::Seal(const ObjectRef& object, const ObjectId& id,
                        Done<void> done) {
  const auto step = parts_->table->sealing().Seal(
      object, id, parts_->budget->capacity_bytes());
  if (!step) return done(step.error());
  parts_->GiveBack(step->freed_bytes);
  if (step->renew_bytes == 0) return done(Status());
  parts_->copier->Copy(object, step->renew_bytes,
                       [this, object, id, done](Status copied) {
                         if (!copied) return done(std::move(copied));
                         Seal(object, id, done);
                       });
}

Status UnsealedRole::Abort(const ObjectRef& object) {
  return parts_->Abort(object);
}

}  // namespace vitrine::store
