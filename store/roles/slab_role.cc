#include "store/roles/slab_role.h"

#include <algorithm>
#include <string>
#include <utility>

namespace vitrine::store {
namespace {

// A slab is a huge page where the store is large enough.
constexpr uint64_t kMostSlabBytes = 2 << 20;
constexpr uint64_t kLeastSlabBytes = 64 << 10;
constexpr uint64_t kLeastSlabs = 64;
// Sparse slabs of which nothing could be moved, until the next round.
constexpr int kCompactionsInVain = 8;
// Each moves a quarter of a megabyte: the housekeeper has other work, too.
constexpr int kCompactionsPerRound = 256;

}  // namespace

void SlabRole::SetUp() {
  const uint64_t page_bytes = parts_->segments.page_bytes();
  slab_bytes_ = std::clamp(parts_->budget->capacity_bytes() / kLeastSlabs,
                           kLeastSlabBytes, kMostSlabBytes);
  slab_bytes_ = std::max(slab_bytes_ - slab_bytes_ % page_bytes, page_bytes);
  // Where pages are larger than slabs should be, files of their own are better.
  if (parts_->options.strict || slab_bytes_ > kMostSlabBytes ||
      slab_bytes_ > parts_->budget->capacity_bytes() / 4) {
    return;
  }
  const uint64_t below_threshold =
      parts_->options.dedicated_threshold_bytes -
      std::min<uint64_t>(parts_->options.dedicated_threshold_bytes, 1);
  small_object_bytes_ = std::min(below_threshold, slab_bytes_ / 8);
}

void SlabRole::PutSmall(const Credentials& creator,
                        std::span<const SmallObject> objects,
                        std::vector<Status>* results) {
  // It is taken already; the evictor makes up for it.
  parts_->budget->ForceCharge(
      parts_->table->slabs().PutSmall(creator, objects, results));
}

// Several may have waited for room at once.
Status SlabRole::OpenSlab(const std::optional<RetiredSegment>& recycled,
                          uint64_t needed_bytes) {
  if (parts_->table->slabs().HasRoom(needed_bytes)) {
    GiveUpSlab(recycled);
    return Status();
  }
  auto before = parts_->table->slabs().OpenSlab(slab_bytes_, recycled);
  if (!before) return before.error();
  parts_->orphans->Add(*std::move(before));
  return Status();
}

Status SlabRole::AddSlab(const std::optional<RetiredSegment>& recycled,
                         uint64_t needed_bytes) {
  Status opened = OpenSlab(recycled, needed_bytes);
  if (opened && parts_->pool->enabled()) {
    parts_->housekeeper->PrepareSlab(slab_bytes_);
  }
  return opened;
}

void SlabRole::GiveUpSlab(const std::optional<RetiredSegment>& recycled) {
  if (recycled)
    return parts_->pool->Put(Audience::OfSlabs(slab_bytes_), *recycled);
  parts_->budget->Uncharge(slab_bytes_);
}

std::optional<RetiredSegment> SlabRole::TakeSlab() {
  return parts_->pool->Take(Audience::OfSlabs(slab_bytes_), slab_bytes_);
}

void SlabRole::CompactSlabs() {
  int in_vain = 0;
  for (int i = 0;
       i < kCompactionsPerRound && parts_->table->compactor().WantsCompaction();
       ++i) {
    if (in_vain == kCompactionsInVain) return;
    Compactor::Compaction done = parts_->table->compactor().CompactBatch();
    parts_->orphans->Add(std::move(done.dropped));
    if (done.moved > 0) continue;
    ++in_vain;
    // What an earlier store took may be larger than any slab of this one.
    if (done.needed_bytes == 0 || done.needed_bytes > slab_bytes_) continue;
    const auto recycled = TakeSlab();
    if (!recycled && !parts_->budget->TryCharge(slab_bytes_)) return;
    if (!OpenSlab(recycled, done.needed_bytes)) return GiveUpSlab(recycled);
  }
}

void SlabRole::AddRoom(SpaceWait wait, Done<void> done, const void* whose) {
  if (small_object_bytes_ == 0) {
    return done(Error{Code::kUnsupported, "this store has no slabs"});
  }
  AddRoomFor(small_object_bytes_, wait, std::move(done), whose);
}

void SlabRole::AddRoomFor(uint64_t bytes, SpaceWait wait, Done<void> done,
                          const void* whose) {
  if (bytes > slab_bytes_) {
    return done(Error{Code::kTooLarge, std::to_string(bytes) +
                                           " bytes do not fit into a slab of " +
                                           std::to_string(slab_bytes_)});
  }
  const Request request{bytes, wait, std::move(done), whose};
  const auto recycled = TakeSlab();
  if (recycled || parts_->budget->TryCharge(slab_bytes_)) {
    return AddOrWait(recycled, request);
  }
  parts_->budget->NoteFree(parts_->segments.FreeBytes());
  parts_->budget->Charge(slab_bytes_, wait, WhenGranted(request), whose,
                         WishOf(request));
}

MemoryBudget::Wish SlabRole::WishOf(const Request& request) {
  return {Audience::OfSlabs(slab_bytes_),
          [this, request](const RetiredSegment& segment) {
            parts_->workers->Run(
                [this, request, segment] { HandedOver(segment, request); });
          }};
}

void SlabRole::HandedOver(const RetiredSegment& segment,
                          const Request& request) {
  if (const auto slab = parts_->pool->Refit(segment, slab_bytes_)) {
    parts_->pool->NoteHandedOver();
    return AddOrWait(slab, request);
  }
  parts_->pool->Drop(segment);
  // It keeps its turn.
  parts_->budget->ChargeFirst(slab_bytes_, request.wait, WhenGranted(request),
                              request.whose);
}

Done<void> SlabRole::WhenGranted(const Request& request) {
  return [this, request](Status granted) {
    if (!granted) return request.done(parts_->Explain(granted.error()));
    parts_->workers->Run([this, request] { AddOrWait(std::nullopt, request); });
  };
}

void SlabRole::AddOrWait(const std::optional<RetiredSegment>& recycled,
                         const Request& request) {
  Status added = AddSlab(recycled, request.bytes);
  if (added) return request.done(std::move(added));
  if (recycled || added.error().code != Code::kOutOfMemory) {
    GiveUpSlab(recycled);
    return request.done(std::move(added));
  }
  parts_->budget->ChargeAgain(
      slab_bytes_, {slab_bytes_, parts_->segments.FreeBytes()}, request.wait,
      WhenGranted(request), request.whose);
}

void SlabRole::EndWaitsForRoom(const void* whose) {
  parts_->budget->EndWaitsOf(whose);
}

}  // namespace vitrine::store
