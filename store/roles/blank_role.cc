#include "store/roles/blank_role.h"

#include <spdlog/spdlog.h>

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
  MutexLock lock(making_);
  if (Status ok = CheckRoom(blank.size_bytes); !ok) return ok.error();
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

Status BlankRole::CheckRoom(uint64_t bytes) const {
  const MemoryBudget::Numbers budget = parts_->budget->Get();
  if (budget.lacking_bytes > 0) {
    return Error{Code::kOutOfMemory, "others fill the file system"};
  }
  const uint64_t limit = budget.capacity_bytes / kMostPart;
  const uint64_t taken = parts_->table->blanks().Count().bytes;
  if (bytes <= limit && taken <= limit - bytes) return Status();
  return Error{Code::kOutOfMemory, "the blanks have their part of the memory"};
}

Result<RetiredSegment> BlankRole::TakeSegment(const Audience& audience,
                                              uint64_t size_bytes) {
  const auto recycled = parts_->pool->Take(audience, size_bytes);
  if (!recycled) return MakeSegment(size_bytes);
  if (recycled->size_bytes >= size_bytes &&
      recycled->allocated_bytes >= size_bytes) {
    return *recycled;
  }
  parts_->pool->Put(audience, *recycled);
  return MakeSegment(size_bytes);
}

Result<RetiredSegment> BlankRole::MakeSegment(uint64_t size_bytes) {
  const RetiredSegment segment{.number = parts_->table->upkeep().NewNumber(),
                               .allocated_bytes = parts_->RoundUp(size_bytes),
                               .size_bytes = size_bytes};
  if (!parts_->budget->TryCharge(segment.allocated_bytes)) {
    return Error{Code::kOutOfMemory, "no free memory for a blank"};
  }
  if (Status ok = parts_->segments.MakeRetired(segment.number, size_bytes);
      !ok) {
    parts_->budget->Uncharge(segment.allocated_bytes);
    return ok.error();
  }
  return segment;
}

Result<UniqueFd> BlankRole::OpenBlank(const ObjectRef& blank) {
  return parts_->table->blanks().OpenForWriting(blank);
}

Status BlankRole::SealBlank(const ObjectRef& blank, const BlankSeal& seal) {
  auto freed = parts_->table->sealing().SealBlank(
      blank, seal, parts_->budget->capacity_bytes());
  if (!freed) return freed.error();
  parts_->GiveBack(*freed);
  return Status();
}

void BlankRole::DropBlank(ObjectRef blank) {
  parts_->workers->Run([parts = parts_, blank = std::move(blank)] {
    auto dropped = parts->table->blanks().Drop(blank);
    if (dropped) parts->DropNow(*std::move(dropped));
  });
}

}  // namespace vitrine::store
