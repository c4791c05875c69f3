#include "client/index/segment_cache.h"

#include <iterator>
#include <utility>

namespace vitrine {
namespace {

// Bounds the work for a client with very many objects in hand: each new mapping
// must not look at all of them.
constexpr int kTrimSteps = 64;

}  // namespace

Result<LocalSegment*> SegmentCache::Acquire(
    uint64_t number, size_t stripe,
    const std::function<Result<Mapping>()>& map) {
  {
    MutexLock lock(mutex_);
    const auto found = segments_.find(number);
    if (found != segments_.end()) return Attach(number, stripe, found->second);
  }
  auto mapping = map();
  if (!mapping) return mapping.error();
  std::vector<Mapping> dropped;  // Unmapped after the lock is given back.
  MutexLock lock(mutex_);
  const auto [found, added] =
      segments_.try_emplace(number, Segment{Mapping(), 0, order_.end()});
  if (added) {
    found->second.mapping = std::move(*mapping);
    found->second.position = order_.insert(order_.end(), number);
  } else {
    dropped.push_back(std::move(*mapping));  // Another thread was faster.
  }
  LocalSegment* const local = Attach(number, stripe, found->second);
  for (Mapping& trimmed : Trim()) dropped.push_back(std::move(trimmed));
  Publish();
  return local;
}

LocalSegment* SegmentCache::Attach(uint64_t number, size_t stripe,
                                   Segment& segment) {
  SessionStripe& owner = *(*stripes_)[stripe];
  SpinLockHolder lock(owner.lock());
  LocalSegment* local = owner.segments().Find(number);
  if (local == nullptr) {
    local = owner.segments().Add(LocalSegment{number, segment.mapping.data(),
                                              segment.mapping.size_bytes(), 0,
                                              true, false});
    segment.stripes |= uint32_t{1} << stripe;
  }
  ++local->references;
  local->used = true;
  return local;
}

bool SegmentCache::DetachFrom(SessionStripe& stripe, uint64_t number,
                              Mercy mercy) {
  SpinLockHolder lock(stripe.lock());
  LocalSegment* const local = stripe.segments().Find(number);
  if (local == nullptr) return true;
  if (local->references > 0) {
    if (mercy == Mercy::kNone) local->recalled = true;
    return false;
  }
  if (mercy == Mercy::kIfUsedLately && std::exchange(local->used, false)) {
    return false;
  }
  stripe.segments().Remove(number);
  return true;
}

bool SegmentCache::Detach(uint64_t number, Segment& segment, Mercy mercy) {
  for (size_t stripe = 0; stripe < stripes_->size(); ++stripe) {
    const uint32_t bit = uint32_t{1} << stripe;
    if ((segment.stripes & bit) == 0) continue;
    if (DetachFrom(*(*stripes_)[stripe], number, mercy)) {
      segment.stripes &= ~bit;
    }
  }
  return segment.stripes == 0;
}

Mapping SegmentCache::Take(Segments::iterator segment) {
  Mapping mapping = std::move(segment->second.mapping);
  order_.erase(segment->second.position);
  segments_.erase(segment);
  return mapping;
}

std::vector<Mapping> SegmentCache::Trim() {
  std::vector<Mapping> dropped;
  if (segments_.size() <= kMaxKeptMappings) return dropped;
  const size_t limit = kMaxKeptMappings + ObjectsInHand();
  for (int step = 0; step < kTrimSteps && segments_.size() > limit; ++step) {
    const uint64_t number = order_.front();
    const auto segment = segments_.find(number);
    if (Detach(number, segment->second, Mercy::kIfUsedLately)) {
      dropped.push_back(Take(segment));
    } else {
      order_.splice(order_.end(), order_, order_.begin());
    }
  }
  return dropped;
}

size_t SegmentCache::ObjectsInHand() const {
  size_t count = 0;
  for (const auto& stripe : *stripes_) {
    SpinLockHolder lock(stripe->lock());
    count += stripe->in_hand;
  }
  return count;
}

void SegmentCache::Drop(std::span<const uint64_t> numbers) {
  std::vector<Mapping> dropped;
  MutexLock lock(mutex_);
  for (const uint64_t number : numbers) {
    const auto segment = segments_.find(number);
    if (segment == segments_.end()) continue;
    if (Detach(number, segment->second, Mercy::kNone)) {
      dropped.push_back(Take(segment));
    }
  }
  Publish();
}

void SegmentCache::DropAll() {
  std::vector<uint64_t> numbers;
  {
    MutexLock lock(mutex_);
    numbers.assign(order_.begin(), order_.end());
  }
  Drop(numbers);
}

size_t SegmentCache::size() const {
  MutexLock lock(mutex_);
  return segments_.size();
}

// Writes an upper bound, because every get changes which mappings are in use.
// At worst the store sends a needless Recall.
void SegmentCache::Publish() {
  if (kept_ == nullptr) return;
  kept_->store(static_cast<uint32_t>(segments_.size()),
               std::memory_order_relaxed);
}

void SegmentCache::DropAllInChild() {
  kept_ = nullptr;  // The parent's page.
  for (auto segment = segments_.begin(); segment != segments_.end();) {
    bool in_hand = false;
    for (const auto& stripe : *stripes_) {
      LocalSegment* const local = stripe->segments().Find(segment->first);
      if (local == nullptr) continue;
      if (local->references > 0) {
        in_hand = true;
      } else {
        stripe->segments().Remove(segment->first);
      }
    }
    const auto next = std::next(segment);
    if (!in_hand) Take(segment);
    segment = next;
  }
}

}  // namespace vitrine
