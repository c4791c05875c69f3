#include "store/segments/segment_pool.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace vitrine::store {
namespace {

// With more segments, a search costs more than it saves.
constexpr size_t kMostSegments = 1024;

}  // namespace

void SegmentPool::Put(const Audience& audience, RetiredSegment segment) {
  const bool of_use = segment.allocated_bytes > 0 && enabled();
  if (of_use && segment.allocated_bytes <= limit_bytes_ &&
      budget_->TryPark(segment.allocated_bytes)) {
    return Add(audience, segment);
  }
  if (of_use && budget_->HandOver(audience, segment)) return;
  Drop(segment);
}

void SegmentPool::Drop(const RetiredSegment& segment) {
  if (auto busy = Unlink(segment)) return on_busy_(std::move(busy), segment);
  budget_->Uncharge(segment.allocated_bytes);
}

void SegmentPool::NoteHandedOver() {
  MutexLock lock(mutex_);
  ++numbers_.reused;
  ++numbers_.handed_over;
}

void SegmentPool::Add(const Audience& audience, const RetiredSegment& segment) {
  Spares surplus;
  {
    MutexLock lock(mutex_);
    const auto spare =
        spares_.insert(spares_.end(), {audience, segment, Clock::now()});
    by_fit_.emplace(KeyOf(*spare), spare);
    ++numbers_.segments;
    numbers_.bytes += segment.allocated_bytes;
    if (numbers_.bytes > limit_bytes_) {
      surplus = TakeFirstLocked(numbers_.bytes - limit_bytes_);
    } else if (numbers_.segments > kMostSegments) {
      surplus = TakeFirstLocked(1);
    }
  }
  GiveBack(surplus);
  budget_->ReclaimWanted();
}

void SegmentPool::RemoveLocked(Spares::iterator spare, Spares* taken) {
  const auto [first, last] = by_fit_.equal_range(KeyOf(*spare));
  by_fit_.erase(std::find_if(first, last, [spare](const auto& entry) {
    return entry.second == spare;
  }));
  --numbers_.segments;
  numbers_.bytes -= spare->segment.allocated_bytes;
  taken->splice(taken->end(), spares_, spare);
}

std::optional<RetiredSegment> SegmentPool::Take(const Audience& audience,
                                                uint64_t size_bytes) {
  return Take(audience, size_bytes, Fit::kAny);
}

std::optional<RetiredSegment> SegmentPool::TakeWhole(const Audience& audience,
                                                     uint64_t size_bytes) {
  return Take(audience, size_bytes, Fit::kWhole);
}

std::optional<RetiredSegment> SegmentPool::Take(const Audience& audience,
                                                uint64_t size_bytes, Fit fit) {
  if (!enabled() || size_bytes == 0) return std::nullopt;
  const Spares taken = Extract(audience, size_bytes, fit);
  if (taken.empty()) return std::nullopt;
  assert(taken.front().audience == audience);  // Invariant (1).
  const uint64_t before = taken.front().segment.allocated_bytes;
  const auto segment = Refit(taken.front().segment, size_bytes);
  if (!segment) {
    GiveBack(taken);
    return std::nullopt;
  }
  budget_->Unpark(before);
  budget_->Uncharge(before - segment->allocated_bytes);
  return segment;
}

std::optional<RetiredSegment> SegmentPool::Refit(const RetiredSegment& segment,
                                                 uint64_t size_bytes) const {
  const auto extent = segments_->Refit(segment.number, size_bytes);
  // Only the store's own user can have it open.  A segment with holes, or of an
  // unexpected size, is of no use either.
  const bool usable = extent &&
                      extent->allocated_bytes <= segment.allocated_bytes &&
                      extent->allocated_bytes >= extent->size_bytes;
  if (!usable) return std::nullopt;
  return RetiredSegment{segment.number, extent->allocated_bytes,
                        extent->size_bytes};
}

SegmentPool::Spares SegmentPool::Extract(const Audience& audience,
                                         uint64_t size_bytes, Fit fit) {
  Spares taken;
  MutexLock lock(mutex_);
  const auto best = FindBest(audience, size_bytes, fit);
  if (best == by_fit_.end()) {
    ++numbers_.missed;
    return taken;
  }
  ++numbers_.reused;
  RemoveLocked(best->second, &taken);
  return taken;
}

SegmentPool::SparesByFit::iterator SegmentPool::FindBest(
    const Audience& audience, uint64_t size_bytes, Fit fit) {
  const auto suits = [&](SparesByFit::iterator it) {
    const uint64_t have = it->first.allocated_bytes;
    return it->first.audience == audience &&
           have / kMostRefitRatio <= size_bytes &&
           size_bytes / kMostRefitRatio <= have;
  };
  const auto larger =
      by_fit_.lower_bound({audience, size_bytes, Clock::time_point::max()});
  if (larger != by_fit_.end() && suits(larger)) return larger;
  if (fit == Fit::kWhole || larger == by_fit_.begin()) return by_fit_.end();
  const auto smaller = std::prev(larger);
  return suits(smaller) ? smaller : by_fit_.end();
}

bool SegmentPool::Prepare(const Audience& audience, uint64_t size_bytes,
                          uint64_t number) {
  if (size_bytes > limit_bytes_) return false;
  {
    MutexLock lock(mutex_);
    if (numbers_.bytes > limit_bytes_ - size_bytes) return false;
    if (FindBest(audience, size_bytes, Fit::kAny) != by_fit_.end())
      return false;
  }
  if (!budget_->TryChargeParked(size_bytes)) return false;
  if (Status made = segments_->MakeRetired(number, size_bytes); !made) {
    budget_->UnchargeParked(size_bytes);
    return false;
  }
  segments_->CollapseRetired(number, size_bytes);
  {
    MutexLock lock(mutex_);
    ++numbers_.prepared;
  }
  Add(audience, {number, size_bytes, size_bytes});
  return true;
}

SegmentPool::Spares SegmentPool::TakeFirstLocked(uint64_t bytes) {
  Spares taken;
  uint64_t taken_bytes = 0;
  while (taken_bytes < bytes && !spares_.empty()) {
    taken_bytes += spares_.front().segment.allocated_bytes;
    RemoveLocked(spares_.begin(), &taken);
  }
  return taken;
}

SegmentPool::Spares SegmentPool::TakeBytesLocked(uint64_t bytes) {
  std::multimap<uint64_t, Spares::iterator> by_size;
  for (auto spare = spares_.begin(); spare != spares_.end(); ++spare) {
    by_size.emplace(spare->segment.allocated_bytes, spare);
  }
  Spares taken;
  while (bytes > 0 && !by_size.empty()) {
    auto best = by_size.lower_bound(bytes);
    if (best == by_size.end()) --best;
    bytes -= std::min(bytes, best->first);
    RemoveLocked(best->second, &taken);
    by_size.erase(best);
  }
  return taken;
}

void SegmentPool::Shrink(uint64_t bytes) {
  Spares taken;
  {
    MutexLock lock(mutex_);
    taken = TakeBytesLocked(bytes);
  }
  GiveBack(taken);
}

void SegmentPool::DropOlder(Clock::time_point before) {
  Spares taken;
  {
    MutexLock lock(mutex_);
    uint64_t bytes = 0;
    for (const Spare& spare : spares_) {
      if (spare.since >= before) break;
      bytes += spare.segment.allocated_bytes;
    }
    taken = TakeFirstLocked(bytes);
  }
  GiveBack(taken);
}

std::shared_ptr<SegmentFile> SegmentPool::Unlink(
    const RetiredSegment& segment) {
  auto unlinked = segments_->UnlinkRetired(segment.number);
  if (unlinked) return *std::move(unlinked);
  spdlog::error("pool: {}", unlinked.error().ToString());
  return nullptr;
}

void SegmentPool::GiveBack(const Spares& spares) {
  for (const Spare& spare : spares) {
    auto busy = Unlink(spare.segment);
    if (busy == nullptr) {
      budget_->UnchargeParked(spare.segment.allocated_bytes);
      continue;
    }
    budget_->Unpark(spare.segment.allocated_bytes);
    on_busy_(std::move(busy), spare.segment);
  }
}

SegmentPool::Numbers SegmentPool::Count() const {
  MutexLock lock(mutex_);
  Numbers numbers = numbers_;
  numbers.limit_bytes = limit_bytes_;
  return numbers;
}

}  // namespace vitrine::store
