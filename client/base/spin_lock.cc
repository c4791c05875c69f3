#include "client/base/spin_lock.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace vitrine {
namespace {

constexpr int kSpins = 64;
constexpr int kYields = 32;
constexpr std::chrono::microseconds kFirstSleep{20};
constexpr int kLongestSleepFactor = 50;

}  // namespace

void SpinOnce() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#else
  std::atomic_signal_fence(std::memory_order_seq_cst);
#endif
}

void Backoff::Pause() {
  ++rounds_;
  if (rounds_ <= kSpins) return SpinOnce();
  if (rounds_ <= kSpins + kYields) {
    ::sched_yield();
    return;
  }
  // Sleeps, because the lock's holder may be a thread of lower priority.
  std::this_thread::sleep_for(
      kFirstSleep * std::min(rounds_ - kSpins - kYields, kLongestSleepFactor));
}

void SpinLock::LockSlowly() {
  Backoff backoff;
  do {
    while (locked_.load(std::memory_order_relaxed)) backoff.Pause();
  } while (locked_.exchange(true, std::memory_order_acquire));
}

}  // namespace vitrine
