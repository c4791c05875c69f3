// How RingWriter waits for answers.
#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "client/base/spin_lock.h"
#include "client/ring/ring_writer.h"
#include "schema/base/futex.h"

namespace vitrine {
namespace {

// A waiter looks again after this time: the store may fail to wake it, or the
// session may end just when it goes to sleep.
constexpr std::chrono::milliseconds kLongestSleep{100};
// A wait for more records than this takes naps, so that the store need not wake
// the thread after each batch.
constexpr uint64_t kManyRecords = 64;
constexpr std::chrono::microseconds kNap{50};

constexpr uint32_t kShortestSpinNs = 1000;
// The seal of a blank takes the store some 30 us; a wake-up takes longer.
constexpr uint32_t kLongestSpinNs = 50000;
constexpr int kSpinsPerLook = 16;
// One wait in this many spins for the longest time, to notice a store that has
// become faster.
constexpr uint32_t kWaitsPerProbe = 32;

// No spinning with one processor: the store needs it.
uint32_t FirstSpinNs() {
  return std::thread::hardware_concurrency() > 1 ? kLongestSpinNs : 0;
}

}  // namespace

RingWriter::RingWriter(std::unique_ptr<Ring> ring, PutFailures* failures,
                       std::function<void()> on_nonsense,
                       std::chrono::nanoseconds spin, Grow grow)
    : failures_(failures),
      shortest_spin_(spin),
      on_nonsense_(std::move(on_nonsense)),
      grow_(std::move(grow)),
      fork_generation_(ForkGeneration()),
      spin_ns_(FirstSpinNs()),
      ring_(ring.get()) {
  rings_.push_back(std::move(ring));
}

Status RingWriter::AwaitCollected(uint64_t count, Deadline deadline) {
  uint64_t collected_before = ~uint64_t{0};
  while (true) {
    uint64_t collected = 0;
    const Ring* ring = nullptr;
    {
      MutexLock lock(mutex_);
      if (!over_.has_value()) Collect();
      if (over_.has_value() || collected_ >= count) return {};
      collected = collected_;
      ring = ring_;
    }
    if (RemainingMs(deadline) == 0) {
      return Error{Code::kTimeout, "the store has not answered all puts yet"};
    }
    const bool advances =
        collected != std::exchange(collected_before, collected);
    if (advances && count - collected > kManyRecords) {
      std::this_thread::sleep_for(kNap);
    } else {
      AwaitAnswer({ring, static_cast<uint32_t>(collected)}, deadline);
    }
  }
}

void RingWriter::AwaitAnswer(const Seen& seen, Deadline deadline) {
  if (!SpinForAnswer(seen)) SleepForAnswer(seen, deadline);
}

// A former ring has had all of its answers.
bool RingWriter::IsAnswered(const Seen& seen) const {
  return seen.ring->shared().answered.load(std::memory_order_acquire) !=
             seen.answered ||
         is_over_.load(std::memory_order_acquire);
}

// The next spin is longer if this one succeeded, else shorter.
bool RingWriter::SpinForAnswer(const Seen& seen) {
  const uint32_t usual_ns = spin_ns_.load(std::memory_order_relaxed);
  if (usual_ns == 0 && shortest_spin_.count() == 0) return IsAnswered(seen);
  const uint32_t waits = waits_.fetch_add(1, std::memory_order_relaxed);
  const bool probes = waits % kWaitsPerProbe == 0;
  const uint32_t budget_ns = probes ? kLongestSpinNs : usual_ns;
  const auto until =
      Clock::now() +
      std::max(std::chrono::nanoseconds(budget_ns), shortest_spin_);
  do {
    for (int i = 0; i < kSpinsPerLook; ++i) {
      if (IsAnswered(seen)) {
        spin_ns_.store(std::min(budget_ns * 2, kLongestSpinNs),
                       std::memory_order_relaxed);
        return true;
      }
      SpinOnce();
    }
  } while (Clock::now() < until);
  spin_ns_.store(std::max(usual_ns / 2, kShortestSpinNs),
                 std::memory_order_relaxed);
  return false;
}

void RingWriter::SleepForAnswer(const Seen& seen, Deadline deadline) {
  SubmissionRing& ring = seen.ring->shared();
  std::chrono::nanoseconds time = kLongestSleep;
  if (deadline != kNoDeadline) {
    time = std::clamp<std::chrono::nanoseconds>(
        deadline - Clock::now(), std::chrono::nanoseconds(0), kLongestSleep);
  }
  ring.waiters.fetch_add(1, std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!IsAnswered(seen)) {
    // The caller looks again, whatever ended the sleep.
    SleepOnFutex({&ring.answered, seen.answered}, time);
  }
  ring.waiters.fetch_sub(1, std::memory_order_seq_cst);
}

}  // namespace vitrine
