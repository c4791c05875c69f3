#include "store/segments/memory_budget.h"

#include <cassert>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "schema/base/saturating.h"

namespace vitrine::store {
namespace {

// The low-water mark is at most this part of the capacity.
constexpr uint64_t kMostLowWaterPart = 16;
constexpr uint64_t kMostLowWaterBytes = uint64_t{1} << 30;

bool IsOver(const SpaceWait& wait, const Accounts::Excesses& over) {
  return std::any_of(over.begin(), over.end(),
                     [&wait](const Accounts::Excess& excess) {
                       return wait.uid == excess.uid;
                     });
}

std::string WantedText(uint64_t bytes) {
  return "wanted " + std::to_string(bytes) + " bytes; ";
}

Error ShuttingDown() {
  return Error{Code::kUnavailable, "the store is shutting down"};
}

}  // namespace

MemoryBudget::~MemoryBudget() { Close(); }

void MemoryBudget::Close() {
  Waiters waiters;
  {
    MutexLock lock(mutex_);
    closed_ = true;
    waiters.swap(waiters_);
    waiting_users_.clear();
  }
  for (Waiter& waiter : waiters) waiter.done(ShuttingDown());
}

bool MemoryBudget::TryCharge(uint64_t bytes) {
  if (TryChargeFree(bytes)) return true;
  // Repeats while there are parked bytes: other threads may take the freed
  // bytes, and segments may be on their way into the pool or out of it.
  while (const uint64_t parked = ParkedInTheWay(bytes)) {
    reclaim_(parked);
    if (TryChargeFree(bytes)) return true;
    std::this_thread::yield();
  }
  return false;
}

uint64_t MemoryBudget::ParkedInTheWay(uint64_t bytes) const {
  MutexLock lock(mutex_);
  if (AnyInTurn() || used_bytes_ > limit_bytes_ ||
      bytes > limit_bytes_ - used_bytes_) {
    return 0;
  }
  const uint64_t free = limit_bytes_ - used_bytes_;
  return SaturatingSubtract(parked_bytes_, free - bytes);
}

bool MemoryBudget::TryChargeFree(uint64_t bytes) {
  if (bytes == 0) return true;
  bool short_now = false;
  {
    MutexLock lock(mutex_);
    if (AnyInTurn() || !FitsLocked(bytes)) return false;
    const bool short_before = ShortageLocked() > 0;
    used_bytes_ += bytes;
    assert(FitsLocked(0));  // Invariant (1).
    short_now = !short_before && ShortageLocked() > 0;
  }
  if (short_now && on_shortage_) on_shortage_();
  return true;
}

void MemoryBudget::Charge(uint64_t bytes, SpaceWait wait, Done<void> done,
                          const void* whose, Wish wish) {
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
    // Memory may have been freed since TryCharge.
    if (IsNextLocked(wait) && FitsLocked(bytes)) {
      used_bytes_ += bytes;
      short_now = !short_before && ShortageLocked() > 0;
    } else if (closed_) {
      outcome = ShuttingDown();
    } else if (wait.deadline <= std::chrono::steady_clock::now() ||
               (wait.fail_when_stuck && bytes > limit_bytes_)) {
      outcome = Error{Code::kOutOfMemory, WantedText(bytes) + UseText()};
    } else {
      NoteScarceLocked();
      Enqueue(waiters_.end(),
              {bytes, wait, std::move(done), whose, std::move(wish)});
      waits = true;
      short_now = true;
    }
  }
  if (waits) ReclaimWanted();
  // NOLINTNEXTLINE(bugprone-use-after-move): moved only if it waits.
  if (!waits) done(std::move(outcome));
  if (short_now && on_shortage_) on_shortage_();
}

uint64_t MemoryBudget::LimitWith(uint64_t free_bytes) const {
  const uint64_t charged = SaturatingAdd(used_bytes_, parked_bytes_);
  return std::min(SaturatingAdd(charged, free_bytes), ceiling_bytes_);
}

void MemoryBudget::QueueAgain(Waiter waiter) {
  auto place = waiters_.begin();
  while (place != waiters_.end() && place->again) ++place;
  waiter.again = true;
  Enqueue(place, std::move(waiter));
}

void MemoryBudget::Enqueue(Waiters::const_iterator place, Waiter waiter) {
  if (waiter.wait.uid) ++waiting_users_[*waiter.wait.uid];
  waiters_.insert(place, std::move(waiter));
}

void MemoryBudget::MoveOut(Waiters::const_iterator waiter, Waiters* to) {
  if (waiter->wait.uid) {
    const auto user = waiting_users_.find(*waiter->wait.uid);
    if (--user->second == 0) waiting_users_.erase(user);
  }
  to->splice(to->end(), waiters_, waiter);
}

Accounts::Excesses MemoryBudget::OverShare() const {
  MutexLock lock(mutex_);
  return OverShareLocked();
}

MemoryBudget::Excesses MemoryBudget::OverShareLocked(
    const SpaceWait& asks) const {
  if (accounts_ == nullptr) return {};
  std::set<uid_t> waiting;
  for (const auto& [uid, count] : waiting_users_) waiting.insert(uid);
  if (asks.uid) waiting.insert(*asks.uid);
  return accounts_->OverShare(limit_bytes_, waiting);
}

bool MemoryBudget::IsNextLocked(const SpaceWait& wait) const {
  if (!AnyInTurn()) return true;
  const Excesses over = OverShareLocked(wait);
  return !IsOver(wait, over) && IsOver(FirstInTurn(over)->wait, over);
}

MemoryBudget::Waiters::const_iterator MemoryBudget::FirstInTurn(
    const Excesses& over) const {
  const bool all_are_over = AllAreOver(over);
  auto first = waiters_.end();
  for (auto next = waiters_.begin(); next != waiters_.end(); ++next) {
    if (IsHopeless(*next)) continue;
    if (all_are_over || !IsOver(next->wait, over)) return next;
    if (first == waiters_.end()) first = next;
  }
  return first;
}

bool MemoryBudget::AllAreOver(const Excesses& over) const {
  size_t over_count = 0;
  for (const Accounts::Excess& excess : over) {
    const auto user = waiting_users_.find(excess.uid);
    if (user != waiting_users_.end()) over_count += user->second;
  }
  return over_count == waiters_.size();
}

bool MemoryBudget::AnyInTurn() const {
  return std::any_of(waiters_.begin(), waiters_.end(),
                     [this](const Waiter& waiter)
                         REQUIRES(mutex_) { return !IsHopeless(waiter); });
}

void MemoryBudget::ChargeAgain(uint64_t bytes, const Failed& failed,
                               SpaceWait wait, Done<void> done,
                               const void* whose) {
  bool closed = false;
  {
    MutexLock lock(mutex_);
    owed_bytes_ += SaturatingSubtract(failed.charged_bytes, used_bytes_);
    used_bytes_ = SaturatingSubtract(used_bytes_, failed.charged_bytes);
    // Not all that is free can be had, or it would have been.
    const uint64_t too_much = SaturatingAdd(used_bytes_, parked_bytes_) + bytes;
    limit_bytes_ = std::min(LimitWith(failed.free_bytes), too_much - 1);
    NoteScarceLocked();
    closed = closed_;
    if (!closed) QueueAgain({bytes, wait, std::move(done), whose});
  }
  // NOLINTNEXTLINE(bugprone-use-after-move): moved only if it is not closed.
  if (closed) return done(ShuttingDown());
  FailHopeless();
  ReclaimWanted();
  if (on_shortage_) on_shortage_();
}

bool MemoryBudget::Suits(const Waiter& waiter, const Audience& audience,
                         const RetiredSegment& segment) {
  return waiter.wish.take && waiter.wish.audience == audience &&
         segment.allocated_bytes >= waiter.bytes &&
         segment.allocated_bytes / kMostRefitRatio <= waiter.bytes;
}

bool MemoryBudget::HandOver(const Audience& audience,
                            const RetiredSegment& segment) {
  Waiters served;
  Waiters granted;
  {
    MutexLock lock(mutex_);
    const auto first = FirstInTurn(OverShareLocked());
    // Beyond the limit, what goes has to become free.
    if (first == waiters_.end() || !FitsLocked(0) ||
        !Suits(*first, audience, segment)) {
      return false;
    }
    MoveOut(first, &served);
    GrantLocked(&granted);  // Those behind it may fit.
  }
  served.front().wish.take(segment);
  for (Waiter& waiter : granted) waiter.done(Status());
  return true;
}

void MemoryBudget::ChargeFirst(uint64_t bytes, SpaceWait wait, Done<void> done,
                               const void* whose) {
  Waiters granted;
  bool closed = false;
  {
    MutexLock lock(mutex_);
    closed = closed_;
    NoteScarceLocked();
    if (!closed) QueueAgain({bytes, wait, std::move(done), whose});
    GrantLocked(&granted);
  }
  // NOLINTNEXTLINE(bugprone-use-after-move): moved only if it is not closed.
  if (closed) return done(ShuttingDown());
  for (Waiter& waiter : granted) waiter.done(Status());
  FailHopeless();
  ReclaimWanted();
  if (on_shortage_) on_shortage_();
}

void MemoryBudget::SetCeiling(uint64_t ceiling_bytes, uint64_t free_bytes) {
  {
    MutexLock lock(mutex_);
    ceiling_bytes_ = std::min(ceiling_bytes, capacity_bytes_);
  }
  NoteFree(free_bytes);
  ReclaimWanted();
}

void MemoryBudget::NoteFree(uint64_t free_bytes) {
  Waiters granted;
  bool short_now = false;
  {
    MutexLock lock(mutex_);
    const uint64_t limit_before = limit_bytes_;
    const bool short_before = ShortageLocked() > 0;
    limit_bytes_ = LimitWith(free_bytes);
    GrantLocked(&granted);
    // The evictor may pause after a shortage that was smaller.
    const bool worse = !short_before || limit_bytes_ < limit_before;
    short_now = worse && ShortageLocked() > 0;
  }
  for (Waiter& waiter : granted) waiter.done(Status());
  FailHopeless();
  if (short_now && on_shortage_) on_shortage_();
}

void MemoryBudget::FailHopeless() {
  EndWaits(Code::kOutOfMemory, [this](const Waiter& waiter) REQUIRES(mutex_) {
    return waiter.wait.fail_when_stuck && IsHopeless(waiter);
  });
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
  ReclaimWanted();
  if (short_now && on_shortage_) on_shortage_();
}

void MemoryBudget::ReclaimWanted() {
  uint64_t wanted = 0;
  {
    MutexLock lock(mutex_);
    const uint64_t charged = SaturatingAdd(used_bytes_, parked_bytes_);
    wanted =
        AnyInTurn() ? parked_bytes_ : SaturatingSubtract(charged, limit_bytes_);
    wanted = std::min(wanted, parked_bytes_);
  }
  if (wanted > 0) reclaim_(wanted);
}

bool MemoryBudget::TryPark(uint64_t bytes) {
  MutexLock lock(mutex_);
  if (AnyInTurn() || SaturatingAdd(used_bytes_, parked_bytes_) > limit_bytes_) {
    return false;
  }
  owed_bytes_ += SaturatingSubtract(bytes, used_bytes_);
  used_bytes_ = SaturatingSubtract(used_bytes_, bytes);
  parked_bytes_ += bytes;
  return true;
}

bool MemoryBudget::TryChargeParked(uint64_t bytes) {
  MutexLock lock(mutex_);
  const uint64_t spare = SaturatingAdd(bytes, low_water_bytes_);
  if (AnyInTurn() || !FitsLocked(spare)) return false;
  parked_bytes_ += bytes;
  return true;
}

void MemoryBudget::Unpark(uint64_t bytes) {
  bool short_now = false;
  {
    MutexLock lock(mutex_);
    assert(parked_bytes_ >= bytes);
    const bool short_before = ShortageLocked() > 0;
    parked_bytes_ -= bytes;
    used_bytes_ = SaturatingAdd(used_bytes_, bytes);
    short_now = !short_before && ShortageLocked() > 0;
  }
  if (short_now && on_shortage_) on_shortage_();
}

void MemoryBudget::UnchargeParked(uint64_t bytes) {
  Waiters granted;
  {
    MutexLock lock(mutex_);
    assert(parked_bytes_ >= bytes);
    parked_bytes_ -= bytes;
    GrantLocked(&granted);
  }
  for (Waiter& waiter : granted) waiter.done(Status());
}

void MemoryBudget::Uncharge(uint64_t bytes) {
  Waiters granted;
  {
    MutexLock lock(mutex_);
    // The bytes were uncharged before their charge, which is on its way.
    owed_bytes_ += SaturatingSubtract(bytes, used_bytes_);
    used_bytes_ = SaturatingSubtract(used_bytes_, bytes);
    GrantLocked(&granted);
  }
  for (Waiter& waiter : granted) waiter.done(Status());
}

void MemoryBudget::NoteScarceLocked() {
  if (std::exchange(was_scarce_, true)) return;
  const uint64_t most =
      std::min(capacity_bytes_ / kMostLowWaterPart, kMostLowWaterBytes);
  low_water_bytes_ = std::clamp(2 * low_water_bytes_, least_low_water_bytes_,
                                std::max(most, least_low_water_bytes_));
}

void MemoryBudget::Relax() {
  MutexLock lock(mutex_);
  if (std::exchange(was_scarce_, false)) return;
  low_water_bytes_ = std::max(low_water_bytes_ / 2, least_low_water_bytes_);
}

uint64_t MemoryBudget::RunAhead() const {
  MutexLock lock(mutex_);
  return low_water_bytes_ / 2;
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
  return Numbers{.capacity_bytes = capacity_bytes_,
                 .used_bytes = used_bytes_,
                 .parked_bytes = parked_bytes_,
                 .low_water_bytes = low_water_bytes_,
                 .lacking_bytes = capacity_bytes_ - limit_bytes_,
                 .waiters = waiters_.size(),
                 .waiting_bytes = WaitingBytesLocked(),
                 .next_deadline = next_deadline};
}

void MemoryBudget::SetOnShortage(std::function<void()> on_shortage) {
  on_shortage_ = std::move(on_shortage);
}

void MemoryBudget::SetReclaim(std::function<void(uint64_t)> reclaim) {
  reclaim_ = std::move(reclaim);
}

bool MemoryBudget::FitsLocked(uint64_t bytes) const {
  const uint64_t charged = SaturatingAdd(used_bytes_, parked_bytes_);
  return charged <= limit_bytes_ && bytes <= limit_bytes_ - charged;
}

uint64_t MemoryBudget::WaitingBytesLocked() const {
  uint64_t sum = 0;
  for (const Waiter& waiter : waiters_) {
    if (!IsHopeless(waiter)) sum = SaturatingAdd(sum, waiter.bytes);
  }
  return sum;
}

uint64_t MemoryBudget::ShortageLocked() const {
  // While others take the memory, what is freed ahead might be theirs.
  const bool lacks = limit_bytes_ < capacity_bytes_;
  const uint64_t ahead = lacks ? 0 : low_water_bytes_;
  const uint64_t taken =
      SaturatingAdd(SaturatingAdd(used_bytes_, WaitingBytesLocked()), ahead);
  return std::min(SaturatingSubtract(taken, limit_bytes_), used_bytes_);
}

std::string MemoryBudget::LackText() const {
  std::string text;
  if (ceiling_bytes_ < capacity_bytes_) {
    text += "; " + std::to_string(capacity_bytes_ - ceiling_bytes_) +
            " bytes are kept back, because memory is short";
  }
  if (limit_bytes_ < ceiling_bytes_) {
    text += "; others have taken " +
            std::to_string(ceiling_bytes_ - limit_bytes_) +
            " bytes of the file system";
  }
  return text;
}

std::string MemoryBudget::UseText() const {
  return std::to_string(used_bytes_) + " of " +
         std::to_string(capacity_bytes_) + " bytes are used and " +
         std::to_string(waiters_.size()) + " requests wait for " +
         std::to_string(WaitingBytesLocked()) + " bytes" + LackText();
}

void MemoryBudget::GrantLocked(Waiters* granted) {
  if (!waiters_.empty()) GrantLocked(OverShareLocked(), granted);
}

void MemoryBudget::GrantLocked(const Excesses& over, Waiters* granted) {
  for (auto next = FirstInTurn(over);
       next != waiters_.end() && FitsLocked(next->bytes);
       next = FirstInTurn(over)) {
    used_bytes_ += next->bytes;
    assert(FitsLocked(0));  // Invariant (1).
    MoveOut(next, granted);
    granted->back().granted = true;
  }
}

void MemoryBudget::EndWaits(Code code,
                            const std::function<bool(const Waiter&)>& ends) {
  Waiters granted;
  Waiters ended;
  std::string use;
  {
    MutexLock lock(mutex_);
    use = UseText();
    EndLocked(Matching(ends), &ended, &granted);
  }
  for (Waiter& waiter : granted) waiter.done(Status());
  for (Waiter& waiter : ended) {
    waiter.done(Error{code, WantedText(waiter.bytes) + use});
  }
}

std::vector<MemoryBudget::Waiters::iterator> MemoryBudget::Matching(
    const std::function<bool(const Waiter&)>& ends) {
  std::vector<Waiters::iterator> matching;
  for (auto waiter = waiters_.begin(); waiter != waiters_.end(); ++waiter) {
    if (ends(*waiter)) matching.push_back(waiter);
  }
  return matching;
}

// Thousands may end at once, so that no step may look at all waiters.
void MemoryBudget::EndLocked(const std::vector<Waiters::iterator>& ending,
                             Waiters* ended, Waiters* granted) {
  if (ending.empty()) return;
  const Excesses over = OverShareLocked();
  Waiters::const_iterator first = FirstInTurn(over);
  for (const auto waiter : ending) {
    if (waiter->granted) continue;
    const bool was_first = waiter == first;
    MoveOut(waiter, ended);
    if (!was_first) continue;
    // Waiters behind may fit now: they are granted rather than ended.
    GrantLocked(over, granted);
    first = FirstInTurn(over);
  }
}

}  // namespace vitrine::store
