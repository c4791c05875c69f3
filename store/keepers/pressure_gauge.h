// How much of its capacity a store may use while memory is short.
#ifndef VITRINE_STORE_KEEPERS_PRESSURE_GAUGE_H_
#define VITRINE_STORE_KEEPERS_PRESSURE_GAUGE_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "schema/machine/memory_room.h"

namespace vitrine::store {

// Keeps a reserve free under each limit of memory, for what others take before
// the store can make room.  It is an eighth of the limit, 32 to 512 MiB, but at
// most half of the limit.
//
// Invariants:
//  (1) The limit falls at once.  It rises only when it has not fallen for two
//      seconds, and only to what leaves half a reserve more: what comes and
//      goes does not move it to and fro.
//  (2) It does not fall below a sixty-fourth of the capacity.
//
// Not thread-safe.
class PressureGauge {
 public:
  using Clock = std::chrono::steady_clock;

  explicit PressureGauge(uint64_t capacity_bytes)
      : capacity_bytes_(capacity_bytes), limit_bytes_(capacity_bytes) {}

  // What may be charged, when `charged_bytes` are and the kernel says `rooms`.
  uint64_t Measure(const std::vector<machine::MemoryRoom>& rooms,
                   uint64_t charged_bytes, Clock::time_point now);
  // When to measure again: before the fastest program has taken the room.
  std::chrono::milliseconds NextPause() const;

  uint64_t limit_bytes() const { return limit_bytes_; }
  bool is_short() const { return limit_bytes_ < capacity_bytes_; }

  // The room that was the least beyond its reserve, at the last measure.
  struct Tightest {
    machine::MemoryRoom room;
    uint64_t reserve_bytes;
  };
  const std::optional<Tightest>& tightest() const { return tightest_; }

 private:
  const uint64_t capacity_bytes_;
  uint64_t limit_bytes_;
  Clock::time_point fell_ = Clock::time_point::min();
  std::optional<Tightest> tightest_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_KEEPERS_PRESSURE_GAUGE_H_
