#include "schema/base/futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <ctime>

namespace vitrine {
namespace {

using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC.

constexpr std::chrono::milliseconds kLongestSleepOnOne{100};

// As in <linux/futex.h> since 5.16; that of the build may be older.
struct WaitedFor {
  uint64_t value;
  uint64_t address;
  uint32_t flags;
  uint32_t reserved;
};
constexpr uint32_t k32Bits = 2;
constexpr long kFutexWaitv = 449;  // The same number on all processors.

// Shared between processes: nowhere FUTEX_PRIVATE_FLAG.
long Futex(const std::atomic<uint32_t>* word, int operation, uint32_t value,
           const timespec* timeout) {
  return ::syscall(SYS_futex, word, operation, value, timeout, nullptr, 0);
}

timespec ToTimespec(std::chrono::nanoseconds time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return timespec{static_cast<time_t>(seconds.count()),
                  static_cast<long>((time - seconds).count())};
}

WaitedFor ToWaitedFor(const FutexView& view) {
  return {view.seen, reinterpret_cast<uintptr_t>(view.word), k32Bits, 0};
}

// False: the kernel lacks futex_waitv(2), or a seccomp filter refuses it.
bool SleepOnBoth(const FutexView& first, const FutexView& second,
                 Clock::time_point deadline) {
  const std::array<WaitedFor, 2> words = {ToWaitedFor(first),
                                          ToWaitedFor(second)};
  const timespec until = ToTimespec(deadline.time_since_epoch());
  const bool endless = deadline == Clock::time_point::max();
  return ::syscall(kFutexWaitv, words.data(), words.size(), 0,
                   endless ? nullptr : &until, CLOCK_MONOTONIC) >= 0 ||
         (errno != ENOSYS && errno != EPERM);
}

}  // namespace

void WakeFutex(const std::atomic<uint32_t>* word) {
  Futex(word, FUTEX_WAKE, INT_MAX, nullptr);
}

void SleepOnFutex(const FutexView& view, std::chrono::nanoseconds time) {
  const timespec timeout =
      ToTimespec(std::max(time, std::chrono::nanoseconds(0)));
  Futex(view.word, FUTEX_WAIT, view.seen, &timeout);
}

void SleepOnFutexes(const FutexView& first, const FutexView& second,
                    Clock::time_point deadline) {
  if (SleepOnBoth(first, second, deadline)) return;
  if (second.word->load(std::memory_order_acquire) != second.seen) return;
  SleepOnFutex(first, std::min<Clock::duration>(deadline - Clock::now(),
                                                kLongestSleepOnOne));
}

}  // namespace vitrine
