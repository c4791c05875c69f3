// The memory budget of the objects, and the queue of requests that wait for it.
#ifndef VITRINE_STORE_SEGMENTS_MEMORY_BUDGET_H_
#define VITRINE_STORE_SEGMENTS_MEMORY_BUDGET_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "schema/base/mutex.h"
#include "store/accounts/accounts.h"
#include "store/base/requests.h"
#include "store/segments/retired_segment.h"

namespace vitrine::store {

// Counts charged bytes against the capacity, and serves waiting requests first
// come first served, those of users within their fair share before the others.
// Charged bytes are used or parked.  Used bytes belong to an object, a slab, an
// orphan, or a client's page or ring.  Parked bytes are kept for later, and
// given up as soon as a request needs them.  Thread-safe.
//
// Invariants:
//  (1) A grant never brings the charge above the limit: the capacity, or less
//      while others fill the file system or memory is short.  Only ForceCharge
//      does, for memory that the kernel has handed out already.
//  (2) No request is granted while an earlier one waits that fits the limit;
//      but a request for no bytes never waits, and a request of a user who has
//      more than his fair share waits behind those of all others, as long as
//      any waits.  Of either kind, first come first served.
//  (3) Of the callbacks of a request one runs, exactly once, with none of the
//      budget's locks held.
//  (4) No bytes stay parked while a request waits, or while more than the limit
//      is charged.
//  (5) Nothing is evicted for a request that is larger than the limit.  It
//      waits until the limit rises; meanwhile those behind it are served.
class MemoryBudget {
 public:
  // The low-water mark is the number of free bytes that the evictor maintains.
  // It doubles when a request finds too little, once between two calls of Relax
  // and at most to a sixteenth of the capacity, and falls to
  // `least_low_water_bytes` again while none does.
  MemoryBudget(uint64_t capacity_bytes, uint64_t least_low_water_bytes)
      : capacity_bytes_(capacity_bytes),
        least_low_water_bytes_(std::min(least_low_water_bytes, capacity_bytes)),
        low_water_bytes_(least_low_water_bytes_),
        ceiling_bytes_(capacity_bytes),
        limit_bytes_(capacity_bytes) {}
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;
  // Those who still wait get kUnavailable.
  ~MemoryBudget();
  // Ends all waits, and the later ones at once: kUnavailable.
  void Close() EXCLUDES(mutex_);

  // A request that waits may take a retired segment of this audience, if it is
  // large enough, instead of free memory.  Its memory is charged as used.
  struct Wish {
    Audience audience;
    std::function<void(const RetiredSegment& segment)> take;  // May be empty.
  };

  // Charges now, or not at all.
  bool TryCharge(uint64_t bytes) EXCLUDES(mutex_);
  // Charges, and waits if it has to.  kTooLarge: more than the capacity.
  // kOutOfMemory: `wait` ended; with a deadline that has passed it does not
  // wait.  `whose` is a key for EndWaitsOf.  `wish.take` may be called in place
  // of `done`.
  void Charge(uint64_t bytes, SpaceWait wait, Done<void> done,
              const void* whose = nullptr, Wish wish = {}) EXCLUDES(mutex_);
  // Hands a segment, whose memory is charged as used, to the request whose turn
  // it is.  False: none waits, or the segment does not suit it.
  bool HandOver(const Audience& audience, const RetiredSegment& segment)
      EXCLUDES(mutex_);
  // Charge, but before all who have not been granted anything, and with a wait
  // in any case.
  void ChargeFirst(uint64_t bytes, SpaceWait wait, Done<void> done,
                   const void* whose = nullptr) EXCLUDES(mutex_);
  // `charged_bytes` were charged, but the file system, which has `free_bytes`
  // left, had no memory for them: others fill it.  Takes them back and lowers
  // the limit to what is there.  Then Charge(bytes), but before all who have
  // not been granted anything.
  struct Failed {
    uint64_t charged_bytes;
    uint64_t free_bytes;
  };
  void ChargeAgain(uint64_t bytes, const Failed& failed, SpaceWait wait,
                   Done<void> done, const void* whose = nullptr)
      EXCLUDES(mutex_);
  // The file system has `free_bytes` left: others may have taken some, or given
  // some back.
  void NoteFree(uint64_t free_bytes) EXCLUDES(mutex_);
  // Memory is short, or less so: from now on the limit is at most
  // `ceiling_bytes`.  Parked bytes beyond it are freed at once.
  void SetCeiling(uint64_t ceiling_bytes, uint64_t free_bytes) EXCLUDES(mutex_);
  void ForceCharge(uint64_t bytes) EXCLUDES(mutex_);
  void Uncharge(uint64_t bytes) EXCLUDES(mutex_);

  // Used bytes become parked ones.  False: a request needs them; free them.
  bool TryPark(uint64_t bytes) EXCLUDES(mutex_);
  // Free bytes become parked ones.  False: free memory is scarce.
  bool TryChargeParked(uint64_t bytes) EXCLUDES(mutex_);
  // Parked bytes become used ones.
  void Unpark(uint64_t bytes) EXCLUDES(mutex_);
  // Parked bytes were freed.
  void UnchargeParked(uint64_t bytes) EXCLUDES(mutex_);

  // Frees parked bytes if requests wait, or if more than the capacity is
  // charged. A caller that parked bytes calls this when they can be freed.
  void ReclaimWanted() EXCLUDES(mutex_);

  // How many bytes the evictor should free now: for all waiting requests, and
  // for the low-water mark; at most the used bytes.
  uint64_t Shortage() const EXCLUDES(mutex_);
  // How many bytes to free beyond a shortage, so that the next one does not
  // begin with the next request.
  uint64_t RunAhead() const EXCLUDES(mutex_);
  // The low-water mark falls if nothing was scarce since the last call.
  void Relax() EXCLUDES(mutex_);
  // Ends the waits whose deadline is at or before `now`.
  void ExpireWaits(Deadline now) EXCLUDES(mutex_);
  // No more memory can be evicted: ends the waits with fail_when_stuck.
  void FailStuck() EXCLUDES(mutex_);
  // Ends the waits with the key `whose`: kNotFound.
  void EndWaitsOf(const void* whose) EXCLUDES(mutex_);

  uint64_t capacity_bytes() const { return capacity_bytes_; }
  // Users who have more than their fair share, the greatest excess first.
  Accounts::Excesses OverShare() const EXCLUDES(mutex_);

  struct Numbers {
    uint64_t capacity_bytes;
    uint64_t used_bytes;
    uint64_t parked_bytes;
    uint64_t low_water_bytes;
    // Of the capacity, what others have taken or what is kept back.
    uint64_t lacking_bytes;
    uint64_t waiters;
    uint64_t waiting_bytes;
    Deadline next_deadline;  // Of a waiter; max(): none.
  };
  Numbers Get() const EXCLUDES(mutex_);
  // Sets the accounts that tell who has more than his fair share.  Without
  // them nobody has.  Set before first use.
  void SetAccounts(const Accounts* accounts) { accounts_ = accounts; }
  // Sets a function that is called (with none of the budget's locks held) when
  // a shortage begins, when the limit falls in one, and for each new waiter.
  // Set before first use.
  void SetOnShortage(std::function<void()> on_shortage);
  // Sets a function that is called (with none of the budget's locks held) when
  // parked bytes are needed: it frees that many, or all.  Set before first use.
  void SetReclaim(std::function<void(uint64_t bytes)> reclaim);

 private:
  struct Waiter {
    uint64_t bytes;
    SpaceWait wait;
    Done<void> done;
    const void* whose;
    Wish wish = {};
    bool again = false;    // It was granted before.
    bool granted = false;  // Its callback is about to run.
  };

  using Excesses = Accounts::Excesses;
  // As if a request that waits as `asks` says were there, too.
  Excesses OverShareLocked(const SpaceWait& asks = {}) const REQUIRES(mutex_);
  // True if it would be the turn of a request that comes now.
  bool IsNextLocked(const SpaceWait& wait) const REQUIRES(mutex_);
  using Waiters = std::list<Waiter>;
  // All waiters come and go by these.
  void Enqueue(Waiters::const_iterator place, Waiter waiter) REQUIRES(mutex_);
  void MoveOut(Waiters::const_iterator waiter, Waiters* to) REQUIRES(mutex_);

  bool FitsLocked(uint64_t bytes) const REQUIRES(mutex_);
  // TryCharge without freeing parked bytes.
  bool TryChargeFree(uint64_t bytes) EXCLUDES(mutex_);
  // The parked bytes to be freed so that `bytes` fit; 0: they are not enough.
  uint64_t ParkedInTheWay(uint64_t bytes) const EXCLUDES(mutex_);
  void NoteScarceLocked() REQUIRES(mutex_);
  // The charge that there would be memory for, at most the ceiling.
  uint64_t LimitWith(uint64_t free_bytes) const REQUIRES(mutex_);
  // Before all that were not granted before.
  void QueueAgain(Waiter waiter) REQUIRES(mutex_);
  // The first that is not hopeless, of a user who is not `over` if there is
  // any.
  Waiters::const_iterator FirstInTurn(const Excesses& over) const
      REQUIRES(mutex_);
  // Of the waiters that there are.
  bool AllAreOver(const Excesses& over) const REQUIRES(mutex_);
  bool AnyInTurn() const REQUIRES(mutex_);
  static bool Suits(const Waiter& waiter, const Audience& audience,
                    const RetiredSegment& segment);
  // No eviction could serve it.
  bool IsHopeless(const Waiter& waiter) const REQUIRES(mutex_) {
    return waiter.bytes > limit_bytes_;
  }
  // Ends the waits with fail_when_stuck that became hopeless.
  void FailHopeless() EXCLUDES(mutex_);
  // Of those that are not hopeless.
  uint64_t WaitingBytesLocked() const REQUIRES(mutex_);
  uint64_t ShortageLocked() const REQUIRES(mutex_);
  // Why the limit is below the capacity; empty: it is not.
  std::string LackText() const REQUIRES(mutex_);
  // How full it is, for messages.
  std::string UseText() const REQUIRES(mutex_);
  // Moves waiters that can be granted now to `granted`.
  void GrantLocked(Waiters* granted) REQUIRES(mutex_);
  void GrantLocked(const Excesses& over, Waiters* granted) REQUIRES(mutex_);
  // Ends the waits that `ends` selects, with `code`, and grants waiters behind
  // them that fit now.
  void EndWaits(Code code, const std::function<bool(const Waiter&)>& ends)
      EXCLUDES(mutex_);
  std::vector<Waiters::iterator> Matching(
      const std::function<bool(const Waiter&)>& ends) REQUIRES(mutex_);
  void EndLocked(const std::vector<Waiters::iterator>& ending, Waiters* ended,
                 Waiters* granted) REQUIRES(mutex_);

  const uint64_t capacity_bytes_;
  const uint64_t least_low_water_bytes_;
  std::function<void()> on_shortage_;
  std::function<void(uint64_t)> reclaim_;
  const Accounts* accounts_ = nullptr;  // Locks itself.

  mutable Mutex mutex_;
  uint64_t low_water_bytes_ GUARDED_BY(mutex_);
  uint64_t ceiling_bytes_ GUARDED_BY(mutex_);  // At most the capacity.
  uint64_t limit_bytes_ GUARDED_BY(mutex_);    // At most the ceiling.
  bool was_scarce_ GUARDED_BY(mutex_) = false;
  uint64_t used_bytes_ GUARDED_BY(mutex_) = 0;
  uint64_t parked_bytes_ GUARDED_BY(mutex_) = 0;
  // Uncharged in advance of the ForceCharge that another thread is about to
  // make.
  uint64_t owed_bytes_ GUARDED_BY(mutex_) = 0;
  Waiters waiters_ GUARDED_BY(mutex_);
  std::map<uid_t, size_t> waiting_users_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_SEGMENTS_MEMORY_BUDGET_H_
