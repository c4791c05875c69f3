// Unsealed objects that whoever made them has left behind.
#ifndef VITRINE_STORE_KEEPERS_ABANDONED_WATCH_H_
#define VITRINE_STORE_KEEPERS_ABANDONED_WATCH_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "schema/base/mutex.h"
#include "store/table/object_table.h"

namespace vitrine::store {

// Notes since when objects that were made through the mount have been unchanged
// and nobody has had them open or mapped, and aborts those for which that is
// long enough.  (Those of native clients end with their sessions.)  Time is
// counted from when that was first seen, so a clock that is set aborts nothing.
class AbandonedWatch {
 public:
  using Clock = std::chrono::steady_clock;

  // After this time an object is told of as abandoned.
  static constexpr std::chrono::minutes kToldAfter{5};

  // `abort_after` none: nothing is aborted.  `drop` gets the segments of those
  // that are.  `table` must outlive it.
  AbandonedWatch(ObjectTable* table,
                 std::optional<std::chrono::seconds> abort_after,
                 std::function<void(DroppedSegment)> drop)
      : table_(table), abort_after_(abort_after), drop_(std::move(drop)) {}

  // To be called often; looks when it is time.  One thread.
  void Look(Clock::time_point now) EXCLUDES(mutex_);

  struct Numbers {
    uint64_t objects = 0;
    uint64_t bytes = 0;
    // Of the one that was left first.
    std::string oldest_id;
    uid_t oldest_uid = 0;
    pid_t oldest_pid = 0;  // Of its creator.
    int64_t oldest_created_ns = 0;
    uint64_t oldest_seconds = 0;  // Since when it has been unused.
    uint64_t aborted = 0;
  };
  // As they were at the last look.
  Numbers Count() const EXCLUDES(mutex_);

 private:
  struct Seen {
    ObjectInfo info;
    Clock::time_point unused_since;
    uint64_t look;  // The last look that found it.
  };

  std::chrono::milliseconds Pause() const;
  // How long it has been unused.
  Clock::duration Note(const ObjectRef& object, Clock::time_point now);
  void Abort(const ObjectRef& object, Clock::duration unused);
  static void Tell(const ObjectInfo& info, Clock::duration unused,
                   Numbers* numbers);

  ObjectTable* const table_;  // Locks itself.
  const std::optional<std::chrono::seconds> abort_after_;
  const std::function<void(DroppedSegment)> drop_;

  // Of the calling thread alone.
  Clock::time_point next_ = Clock::time_point::min();
  uint64_t looks_ = 0;
  uint64_t aborted_ = 0;
  std::unordered_map<uint64_t, Seen> seen_;  // By number.

  mutable Mutex mutex_;
  Numbers numbers_ GUARDED_BY(mutex_);
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_KEEPERS_ABANDONED_WATCH_H_
