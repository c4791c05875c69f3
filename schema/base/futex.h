// futex(2): words of memory on which threads of several processes sleep.
#ifndef VITRINE_SCHEMA_BASE_FUTEX_H_
#define VITRINE_SCHEMA_BASE_FUTEX_H_

#include <atomic>
#include <chrono>
#include <cstdint>

namespace vitrine {

// A word and what it said when it was last looked at.
struct FutexView {
  const std::atomic<uint32_t>* word;
  uint32_t seen;
};

// Wakes all threads of all processes that sleep on `word`.
void WakeFutex(const std::atomic<uint32_t>* word);

// Sleeps on the word for at most `time`, unless the word has changed.  The
// word may be mapped read-only.  May return early: the caller looks again.
void SleepOnFutex(const FutexView& view, std::chrono::nanoseconds time);

// The same on two words, until `deadline` (time_point::max(): without limit).
// On kernels before 5.16 it returns every 100 ms.
void SleepOnFutexes(const FutexView& first, const FutexView& second,
                    std::chrono::steady_clock::time_point deadline);

}  // namespace vitrine

#endif  // VITRINE_SCHEMA_BASE_FUTEX_H_
