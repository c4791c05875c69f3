#include "store/memory_budget.h"

#include <cassert>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace vitrine {
namespace {

uint64_t SaturatingAdd(uint64_t a, uint64_t b) {
  const uint64_t max = std::numeric_limits<uint64_t>::max();
  return a > max - b ? max : a + b;
}

uint64_t SaturatingSubtract(uint64_t a, uint64_t b) {
  return a > b ? a - b : 0;
}

}  // namespace

MemoryBudget::~MemoryBudget() { Close(); }

void MemoryBudget::Close() {
  std::list<Waiter> waiters;
  {
    MutexLock lock(mutex_);
    waiters.swap(waiters_);
  }
  for (Waiter& waiter : waiters) {
    waiter.done(Error{Code::kUnavailable, "the store is shutting down"});
  }
}

bool MemoryBudget::TryCharge(uint64_t bytes) {
  if (bytes == 0) return true;
  bool short_now = false;
  {
    MutexLock lock(mutex_);
    if (!waiters_.empty() || !FitsLocked(bytes)) return false;
    const bool short_before = ShortageLocked() > 0;
    used_bytes_ += bytes;
    short_now = !short_before && ShortageLocked() > 0;
  }
  if (short_now && on_shortage_) on_shortage_();
  return true;
}

void MemoryBudget::Charge(uint64_t bytes, SpaceWait wait, Done<void> done,
                          const void* whose) {
  if (bytes > capacity_bytes_) {
    return done(Error{Code::kTooLarge, std::to_string(bytes) +
                                           " bytes are more than the " +
                                           std::to_string(capacity_bytes_) +
                                           " bytes of the store's capacity"});
  }
  if (TryCharge(bytes)) return done(Status());

  Status outcome;
  bool waits = false;
  bool short_now = false;
  {
    MutexLock lock(mutex_);
    const bool short_before = ShortageLocked() > 0;
    // Space may have come back since TryCharge.
    if (waiters_.empty() && FitsLocked(bytes)) {
      used_bytes_ += bytes;
      short_now = !short_before && ShortageLocked() > 0;
    } else if (wait.deadline <= std::chrono::steady_clock::now()) {
      outcome = OutOfMemoryLocked(bytes);
    } else {
      waiters_.push_back(Waiter{bytes, wait, std::move(done), whose});
      waits = true;
      short_now = true;
    }
  }
  // NOLINTNEXTLINE(bugprone-use-after-move): moved only if it waits.
  if (!waits) done(std::move(outcome));
  if (short_now && on_shortage_) on_shortage_();
}

void MemoryBudget::ForceCharge(uint64_t bytes) {
  bool short_now = false;
  {
    MutexLock lock(mutex_);
    const bool short_before = ShortageLocked() > 0;
    const uint64_t owed = std::min(owed_bytes_, bytes);
    owed_bytes_ -= owed;
    used_bytes_ = SaturatingAdd(used_bytes_, bytes - owed);
    short_now = !short_before && ShortageLocked() > 0;
  }
  if (short_now && on_shortage_) on_shortage_();
}

void MemoryBudget::Uncharge(uint64_t bytes) {
  std::list<Waiter> granted;
  {
    MutexLock lock(mutex_);
    // Given back before it was charged: the charge is on its way.
    owed_bytes_ += SaturatingSubtract(bytes, used_bytes_);
    used_bytes_ = SaturatingSubtract(used_bytes_, bytes);
    GrantLocked(&granted);
  }
  for (Waiter& waiter : granted) waiter.done(Status());
}

uint64_t MemoryBudget::Shortage() const {
  MutexLock lock(mutex_);
  return ShortageLocked();
}

void MemoryBudget::ExpireWaits(Deadline now) {
  EndWaits(Code::kOutOfMemory,
           [now](const Waiter& waiter) { return waiter.wait.deadline <= now; });
}

void MemoryBudget::FailStuck() {
  EndWaits(Code::kOutOfMemory,
           [](const Waiter& waiter) { return waiter.wait.fail_when_stuck; });
}

void MemoryBudget::EndWaitsOf(const void* whose) {
  EndWaits(Code::kNotFound,
           [whose](const Waiter& waiter) { return waiter.whose == whose; });
}

MemoryBudget::Numbers MemoryBudget::Get() const {
  MutexLock lock(mutex_);
  Deadline next_deadline = Deadline::max();
  for (const Waiter& waiter : waiters_) {
    next_deadline = std::min(next_deadline, waiter.wait.deadline);
  }
  return Numbers{capacity_bytes_, used_bytes_,          low_water_bytes_,
                 waiters_.size(), WaitingBytesLocked(), next_deadline};
}

void MemoryBudget::SetOnShortage(std::function<void()> on_shortage) {
  on_shortage_ = std::move(on_shortage);
}

bool MemoryBudget::FitsLocked(uint64_t bytes) const {
  return used_bytes_ <= capacity_bytes_ &&
         bytes <= capacity_bytes_ - used_bytes_;
}

uint64_t MemoryBudget::WaitingBytesLocked() const {
  uint64_t sum = 0;
  for (const Waiter& waiter : waiters_) sum = SaturatingAdd(sum, waiter.bytes);
  return sum;
}

uint64_t MemoryBudget::ShortageLocked() const {
  const uint64_t taken = SaturatingAdd(
      SaturatingAdd(used_bytes_, WaitingBytesLocked()), low_water_bytes_);
  return std::min(SaturatingSubtract(taken, capacity_bytes_), used_bytes_);
}

Error MemoryBudget::OutOfMemoryLocked(uint64_t bytes) const {
  return Error{Code::kOutOfMemory,
               "wanted " + std::to_string(bytes) + " bytes; " +
                   std::to_string(used_bytes_) + " of " +
                   std::to_string(capacity_bytes_) + " bytes are used and " +
                   std::to_string(waiters_.size()) + " others wait for " +
                   std::to_string(WaitingBytesLocked()) + " bytes"};
}

void MemoryBudget::GrantLocked(std::list<Waiter>* granted) {
  while (!waiters_.empty() && FitsLocked(waiters_.front().bytes)) {
    used_bytes_ += waiters_.front().bytes;
    granted->splice(granted->end(), waiters_, waiters_.begin());
  }
}

void MemoryBudget::EndWaits(Code code,
                            const std::function<bool(const Waiter&)>& ends) {
  std::list<Waiter> granted;
  std::list<Waiter> ended;
  std::vector<Error> errors;
  {
    MutexLock lock(mutex_);
    for (auto it = waiters_.begin(); it != waiters_.end();) {
      const auto next = std::next(it);
      if (!ends(*it)) {
        it = next;
        continue;
      }
      const bool was_first = it == waiters_.begin();
      ended.splice(ended.end(), waiters_, it);
      errors.push_back(OutOfMemoryLocked(ended.back().bytes));
      errors.back().code = code;
      it = next;
      if (!was_first) continue;
      // Those behind may fit now: rather granted than ended.
      GrantLocked(&granted);
      it = waiters_.begin();
    }
  }
  for (Waiter& waiter : granted) waiter.done(Status());
  size_t index = 0;
  for (Waiter& waiter : ended) waiter.done(std::move(errors[index++]));
}

}  // namespace vitrine
