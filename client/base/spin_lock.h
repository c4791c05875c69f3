#ifndef VITRINE_CLIENT_BASE_SPIN_LOCK_H_
#define VITRINE_CLIENT_BASE_SPIN_LOCK_H_

#include <atomic>

#include "schema/base/mutex.h"

namespace vitrine {

// A lock for a few instructions that is almost never contended.  Taking it
// costs one locked instruction, giving it back none.  It is never held across a
// system call, so a waiter that does not get it soon yields: its holder was
// preempted.
class CAPABILITY("mutex") SpinLock {
 public:
  void Lock() ACQUIRE() {
    if (locked_.exchange(true, std::memory_order_acquire)) LockSlowly();
  }
  void Unlock() RELEASE() { locked_.store(false, std::memory_order_release); }

 private:
  void LockSlowly();

  std::atomic<bool> locked_{false};
};

class SCOPED_CAPABILITY SpinLockHolder {
 public:
  explicit SpinLockHolder(SpinLock& lock) ACQUIRE(lock) : lock_(lock) {
    lock_.Lock();
  }
  SpinLockHolder(const SpinLockHolder&) = delete;
  SpinLockHolder& operator=(const SpinLockHolder&) = delete;
  ~SpinLockHolder() RELEASE() { lock_.Unlock(); }

 private:
  SpinLock& lock_;
};

// The processor's pause instruction, for the body of a loop that polls memory.
void SpinOnce();

// Waits a little, longer each time it is called in a row.
class Backoff {
 public:
  void Pause();

 private:
  int rounds_ = 0;
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_BASE_SPIN_LOCK_H_
