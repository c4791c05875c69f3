// Evicts before the kernel kills: watches what memory is left.
#ifndef VITRINE_STORE_KEEPERS_PRESSURE_WATCH_H_
#define VITRINE_STORE_KEEPERS_PRESSURE_WATCH_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "schema/base/mutex.h"
#include "schema/machine/memory_alarm.h"
#include "store/keepers/pressure_gauge.h"
#include "store/segments/memory_budget.h"
#include "store/segments/segment_dir.h"
#include "store/table/object_table.h"

namespace vitrine::store {

// Owns one thread.  When a limit of the store's memory cgroup, or the machine's
// memory, leaves too little room, it lowers what the budget may charge.  The
// pool then gives its segments up, the evictor evicts, and requests wait.
// Thread-safe.  What it is given must outlive it.
class PressureWatch {
 public:
  struct Parts {
    ObjectTable* table;
    SegmentDir* segments;
    MemoryBudget* budget;
  };
  using ReadRooms = std::function<std::vector<machine::MemoryRoom>()>;

  // `read`: what the kernel says; a test's double of it.
  static Result<std::unique_ptr<PressureWatch>> Start(
      const Parts& parts,
      ReadRooms read = [] { return machine::ReadMemoryRooms(); });
  ~PressureWatch();

  struct Numbers {
    bool is_short = false;
    std::string problem;     // Empty: it is not short.
    std::string limited_by;  // Of the least room.
    uint64_t room_bytes = 0;
    uint64_t reserve_bytes = 0;
    uint64_t limit_bytes = 0;
    uint64_t short_seconds = 0;
    uint64_t times_short = 0;
    // While memory was short.
    uint64_t evicted_objects = 0;
    uint64_t evicted_bytes = 0;
  };
  Numbers Count() const EXCLUDES(mutex_);

 private:
  using Clock = PressureGauge::Clock;
  struct Evicted {
    uint64_t objects = 0;
    uint64_t bytes = 0;
  };

  PressureWatch(const Parts& parts, ReadRooms read, machine::MemoryAlarm alarm);

  void Run() EXCLUDES(mutex_);
  // Measures, and tells the budget.  Says when to do so again.
  std::chrono::milliseconds Look() EXCLUDES(mutex_);
  void NoteBegin(Clock::time_point now) REQUIRES(mutex_);
  void NoteEnd(Clock::time_point now) REQUIRES(mutex_);
  std::string Problem() const REQUIRES(mutex_);
  Evicted EvictedSince(const Evicted& before) const;

  const Parts parts_;  // Lock themselves.
  const ReadRooms read_;
  machine::MemoryAlarm alarm_;

  mutable Mutex mutex_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  PressureGauge gauge_ GUARDED_BY(mutex_);
  std::optional<Clock::time_point> short_since_ GUARDED_BY(mutex_);
  uint64_t times_short_ GUARDED_BY(mutex_) = 0;
  Evicted at_begin_ GUARDED_BY(mutex_);  // When memory became short.
  Evicted evicted_ GUARDED_BY(mutex_);   // In the times before.

  std::thread thread_;  // Last: it uses all of the above.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_KEEPERS_PRESSURE_WATCH_H_
