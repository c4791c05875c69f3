#include "store/roles/blank_role.h"

#include <utility>

namespace vitrine::store {
namespace {

// Blanks may take this part of the capacity.
constexpr uint64_t kMostPart = 8;

}  // namespace

Result<ObjectRef> BlankRole::MakeBlank(const NewBlank& blank) {
  if (blank.size_bytes == 0) {
    return Error{Code::kInvalidArgument, "a blank of no bytes"};
  }
  // Before a segment is made in vain.
  Status may = parts_->accounts.Check(
      PayerOf(blank.creator),
      OnlyOf(Resource::kMemory, parts_->RoundUp(blank.size_bytes)));
  if (!may) return may.error();
  if (Status ok = Begin(blank.size_bytes); !ok) return ok.error();
  auto made = Make(blank);
  End(blank.size_bytes);
  return made;
}

Result<ObjectRef> BlankRole::Make(const NewBlank& blank) {
  const Audience audience{.uid = blank.creator.uid,
                          .gid = blank.creator.gid,
                          .mode = blank.mode & 07777};
  auto segment = TakeSegment(audience, blank.size_bytes);
  if (!segment) return segment.error();
  parts_->segments.CollapseRetired(segment->number, segment->size_bytes);
  auto made = parts_->table->blanks().Make(blank.creator, blank.mode, *segment);
  if (!made) parts_->pool->Put(audience, *segment);
  return made;
}

Status BlankRole::Begin(uint64_t bytes) {
  const MemoryBudget::Numbers budget = parts_->budget->Get();
  if (budget.lacking_bytes > 0) {
    return Error{Code::kOutOfMemory, "others fill the file system"};
  }
  const uint64_t limit = budget.capacity_bytes / kMostPart;
  MutexLock lock(mutex_);
  const uint64_t taken = parts_->table->blanks().Count().bytes + making_bytes_;
  if (bytes > limit || taken > limit - bytes) {
    return Error{Code::kOutOfMemory,
                 "the blanks have their part of the memory"};
  }
  making_bytes_ += bytes;
  return Status();
}

void BlankRole::End(uint64_t bytes) {
  MutexLock lock(mutex_);
  making_bytes_ -= bytes;
}

Result<RetiredSegment> BlankRole::TakeSegment(const Audience& audience,
                                              uint64_t size_bytes) {
  if (const auto recycled = parts_->pool->TakeWhole(audience, size_bytes)) {
    if (HasItsPages(*recycled)) return *recycled;
    parts_->pool->Put(audience, *recycled);
  }
  auto made = MakeSegment(size_bytes);
  if (!made || HasItsPages(*made)) return made;
  parts_->pool->Put(audience, *made);
  return Error{Code::kUnsupported, "the kernel gives other pages"};
}

// As a seal will want them: each page, and none beyond.
bool BlankRole::HasItsPages(const RetiredSegment& segment) const {
  return segment.allocated_bytes == parts_->RoundUp(segment.size_bytes);
}

Result<RetiredSegment> BlankRole::MakeSegment(uint64_t size_bytes) {
  const uint64_t number = parts_->table->upkeep().NewNumber();
  const uint64_t bytes = parts_->RoundUp(size_bytes);
  if (!parts_->budget->TryCharge(bytes)) {
    return Error{Code::kOutOfMemory, "no free memory for a blank"};
  }
  if (Status ok = parts_->segments.MakeRetired(number, size_bytes); !ok) {
    parts_->budget->Uncharge(bytes);
    return ok.error();
  }
  auto extent = parts_->segments.Refit(number, size_bytes);
  if (!extent) {
    (void)parts_->segments.UnlinkRetired(number);  // The first error counts.
    parts_->budget->Uncharge(bytes);
    return extent.error();
  }
  parts_->GiveBack(static_cast<int64_t>(bytes) -
                   static_cast<int64_t>(extent->allocated_bytes));
  return RetiredSegment{.number = number,
                        .allocated_bytes = extent->allocated_bytes,
                        .size_bytes = extent->size_bytes};
}

Result<UniqueFd> BlankRole::OpenBlank(const ObjectRef& blank) {
  return parts_->table->blanks().OpenForWriting(blank);
}

void BlankRole::SealBlank(const ObjectRef& blank, const BlankSeal& seal,
                          Done<void> done) {
  const auto step = parts_->table->sealing().SealBlank(blank, seal);
  if (!step) return done(step.error());
  parts_->GiveBack(step->freed_bytes);
  if (step->renew_bytes == 0) return done(Status());
  parts_->copier->Copy(blank, step->renew_bytes,
                       [this, blank, seal, done](Status copied) {
                         if (!copied) return done(std::move(copied));
                         SealBlank(blank, seal, done);
                       });
}

void BlankRole::DropBlank(ObjectRef blank) {
  parts_->workers->Run([parts = parts_, blank = std::move(blank)] {
    auto dropped = parts->table->blanks().Drop(blank);
    if (dropped) parts->DropNow(*std::move(dropped));
  });
}

}  // namespace vitrine::store
