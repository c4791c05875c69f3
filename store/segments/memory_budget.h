// The bytes that objects may take, and who waits for some.
#ifndef VITRINE_STORE_SEGMENTS_MEMORY_BUDGET_H_
#define VITRINE_STORE_SEGMENTS_MEMORY_BUDGET_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>

#include "schema/base/mutex.h"
#include "store/base/requests.h"

namespace vitrine::store {

// Counts charged bytes against the capacity and serves those who wait first
// come first served.  Of these bytes, used ones belong to somebody; parked ones
// are kept for later and given up as soon as anybody wants them.  Thread-safe.
//
// Invariants:
//  (1) A grant never brings the charge above the capacity; only ForceCharge,
//      for memory that the kernel has handed out already, does.
//  (2) Nobody is granted while an earlier one still waits; but who wants no
//      bytes at all never waits.
//  (3) Every callback runs exactly once, with no lock held.
//  (4) Nothing stays parked while somebody waits, or while more than the
//      capacity is charged.
class MemoryBudget {
 public:
  // `low_water_bytes`: what the evictor keeps free; at most the capacity.
  MemoryBudget(uint64_t capacity_bytes, uint64_t low_water_bytes)
      : capacity_bytes_(capacity_bytes),
        low_water_bytes_(std::min(low_water_bytes, capacity_bytes)) {}
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;
  // Those who still wait get kUnavailable.
  ~MemoryBudget();
  // Ends all waits, and the later ones at once: kUnavailable.
  void Close() EXCLUDES(mutex_);

  // Charges now, or not at all.
  bool TryCharge(uint64_t bytes) EXCLUDES(mutex_);
  // Charges, waiting if need be.  kTooLarge: more than the capacity.
  // kOutOfMemory: `wait` ended; a deadline that has passed already waits for
  // nothing.  `whose` is a name for EndWaitsOf.
  void Charge(uint64_t bytes, SpaceWait wait, Done<void> done,
              const void* whose = nullptr) EXCLUDES(mutex_);
  void ForceCharge(uint64_t bytes) EXCLUDES(mutex_);
  void Uncharge(uint64_t bytes) EXCLUDES(mutex_);

  // Used bytes become parked ones.  False: they are wanted; free them.
  bool TryPark(uint64_t bytes) EXCLUDES(mutex_);
  // Free bytes become parked ones.  False: free memory is scarce.
  bool TryChargeParked(uint64_t bytes) EXCLUDES(mutex_);
  // Parked bytes become used ones.
  void Unpark(uint64_t bytes) EXCLUDES(mutex_);
  // Parked bytes were given back.
  void UnchargeParked(uint64_t bytes) EXCLUDES(mutex_);

  // Gives back what is parked and wanted: by those who wait, or because more is
  // charged than there is.  Whoever parks bytes calls this when they can be
  // given back.
  void ReclaimWanted() EXCLUDES(mutex_);

  // How many bytes the evictor should free now: for all who wait, and for the
  // low-water mark; at most what is used.
  uint64_t Shortage() const EXCLUDES(mutex_);
  // Ends the waits whose deadline is at or before `now`.
  void ExpireWaits(Deadline now) EXCLUDES(mutex_);
  // Nothing more can be evicted: ends the waits that asked to be told.
  void FailStuck() EXCLUDES(mutex_);
  // What `whose` waits for is not wanted any more: kNotFound.
  void EndWaitsOf(const void* whose) EXCLUDES(mutex_);

  uint64_t capacity_bytes() const { return capacity_bytes_; }

  struct Numbers {
    uint64_t capacity_bytes;
    uint64_t used_bytes;
    uint64_t parked_bytes;
    uint64_t low_water_bytes;
    uint64_t waiters;
    uint64_t waiting_bytes;
    Deadline next_deadline;  // Of a waiter; max(): none.
  };
  Numbers Get() const EXCLUDES(mutex_);
  // Called (with no lock held) when there is a shortage that was not before,
  // and for each new waiter.
  // Set before first use.
  void SetOnShortage(std::function<void()> on_shortage);
  // Called (with no lock held) when parked bytes are wanted: gives that many
  // back, or all there are.  Set before first use.
  void SetReclaim(std::function<void(uint64_t bytes)> reclaim);

 private:
  struct Waiter {
    uint64_t bytes;
    SpaceWait wait;
    Done<void> done;
    const void* whose;
  };

  bool FitsLocked(uint64_t bytes) const REQUIRES(mutex_);
  // TryCharge without giving anything parked back.
  bool TryChargeFree(uint64_t bytes) EXCLUDES(mutex_);
  // What is to be given back so that `bytes` fit; 0: that is not enough.
  uint64_t ParkedInTheWay(uint64_t bytes) const EXCLUDES(mutex_);
  uint64_t WaitingBytesLocked() const REQUIRES(mutex_);
  uint64_t ShortageLocked() const REQUIRES(mutex_);
  Error OutOfMemoryLocked(uint64_t bytes) const REQUIRES(mutex_);
  // Moves those who can be granted now to `granted`.
  void GrantLocked(std::list<Waiter>* granted) REQUIRES(mutex_);
  // Ends the waits that `ends` picks, as `code`, and grants whom they stood in
  // the way of.
  void EndWaits(Code code, const std::function<bool(const Waiter&)>& ends)
      EXCLUDES(mutex_);

  const uint64_t capacity_bytes_;
  const uint64_t low_water_bytes_;
  std::function<void()> on_shortage_;
  std::function<void(uint64_t)> reclaim_;

  mutable Mutex mutex_;
  uint64_t used_bytes_ GUARDED_BY(mutex_) = 0;
  uint64_t parked_bytes_ GUARDED_BY(mutex_) = 0;
  // Uncharged in advance of the ForceCharge that another thread is about to
  // make.
  uint64_t owed_bytes_ GUARDED_BY(mutex_) = 0;
  std::list<Waiter> waiters_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_SEGMENTS_MEMORY_BUDGET_H_
