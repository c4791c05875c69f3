// Recycled segments: those whose objects are gone wait here, pages and all, for
// the next object that wants as much memory.  Pages that are there already are
// several times faster to fill than new ones, which the kernel clears first.
//
// Invariants:
//  (1) Whoever gets recycled bytes to see could read all of them before: a
//      segment goes only to an object of the same owner, group and mode, and
//      a slab, which everybody maps as a whole, becomes a slab again, of the
//      same size.
//  (2) Nobody has a segment open or mapped when it is handed out: the kernel
//      is asked anew.
//  (3) All of it is charged, as parked, and goes before anybody waits for
//      memory or anything is evicted.
//  (4) A segment here is retired (see SegmentDir): a restart finds none.
//  (5) What is given back while somebody has it (only the store's own user can
//      get there) goes to whoever SetOnBusy names, with its charge.
#ifndef VITRINE_STORE_SEGMENTS_SEGMENT_POOL_H_
#define VITRINE_STORE_SEGMENTS_SEGMENT_POOL_H_

#include <sys/types.h>

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "schema/base/mutex.h"
#include "store/segments/memory_budget.h"
#include "store/segments/segment_dir.h"
#include "store/segments/segment_file.h"

namespace vitrine::store {

// Who could read what a segment held.
struct Audience {
  uid_t uid = 0;
  gid_t gid = 0;
  mode_t mode = 0;
  uint64_t slab_bytes = 0;  // 0: no slab.

  static Audience OfSlabs(uint64_t slab_bytes) {
    return {.slab_bytes = slab_bytes};
  }
  auto operator<=>(const Audience&) const = default;
};

// A retired segment and what it takes.
struct RetiredSegment {
  uint64_t number = 0;
  uint64_t allocated_bytes = 0;
  uint64_t size_bytes = 0;
};

// Thread-safe.  What it is given must outlive it.
class SegmentPool {
 public:
  using Clock = std::chrono::steady_clock;

  // Keeps up to `limit_bytes`; 0: nothing.
  SegmentPool(SegmentDir* segments, MemoryBudget* budget, uint64_t limit_bytes)
      : segments_(segments), budget_(budget), limit_bytes_(limit_bytes) {}
  SegmentPool(const SegmentPool&) = delete;
  SegmentPool& operator=(const SegmentPool&) = delete;

  bool enabled() const { return limit_bytes_ > 0; }

  // Takes over a removed segment that somebody has, and its charge, as used.
  using OnBusy = std::function<void(std::shared_ptr<SegmentFile> file,
                                    const RetiredSegment& segment)>;
  // Set before first use.
  void SetOnBusy(OnBusy on_busy) { on_busy_ = std::move(on_busy); }

  // Takes a retired segment, whose memory is charged as used, or gives its
  // memory back.  Nobody has it open or mapped.
  void Put(const Audience& audience, RetiredSegment segment) EXCLUDES(mutex_);
  // Finds the segment that suits an object of `size_bytes` best, and cuts it to
  // that size; it may also be smaller.  What it takes is charged as used.
  std::optional<RetiredSegment> Take(const Audience& audience,
                                     uint64_t size_bytes) EXCLUDES(mutex_);
  // Makes a segment with cleared pages ahead of time, as `number`, if free
  // memory is ample and nothing suits yet.  False: it did not.
  bool Prepare(const Audience& audience, uint64_t size_bytes, uint64_t number)
      EXCLUDES(mutex_);

  // Gives at least `bytes` back, or all there are: of the smallest segment that
  // has as many, else of the largest ones.
  void Shrink(uint64_t bytes) EXCLUDES(mutex_);
  // Gives those back that came before `before`.
  void DropOlder(Clock::time_point before) EXCLUDES(mutex_);

  struct Numbers {
    uint64_t segments = 0;
    uint64_t bytes = 0;
    uint64_t limit_bytes = 0;
    uint64_t reused = 0;    // Segments handed out.
    uint64_t missed = 0;    // Asked for, and there was none.
    uint64_t prepared = 0;  // Made ahead of time.
  };
  Numbers Count() const EXCLUDES(mutex_);

 private:
  struct Spare {
    Audience audience;
    RetiredSegment segment;
    Clock::time_point since;
  };
  using Spares = std::list<Spare>;
  // Of one audience, and of one size, the youngest first: what is left over is
  // what was not needed for longest.
  struct Key {
    Audience audience;
    uint64_t allocated_bytes = 0;
    Clock::time_point since;

    bool operator<(const Key& other) const {
      if (audience != other.audience) return audience < other.audience;
      if (allocated_bytes != other.allocated_bytes) {
        return allocated_bytes < other.allocated_bytes;
      }
      return since > other.since;
    }
  };
  using SparesByFit = std::multimap<Key, Spares::iterator>;

  static Key KeyOf(const Spare& spare) {
    return {spare.audience, spare.segment.allocated_bytes, spare.since};
  }
  // What fits best, out of the pool; empty: nothing does.
  Spares Extract(const Audience& audience, uint64_t size_bytes)
      EXCLUDES(mutex_);
  // The smallest that is large enough, else the largest, within reason.
  SparesByFit::iterator FindBest(const Audience& audience, uint64_t size_bytes)
      REQUIRES(mutex_);
  void Add(const Audience& audience, const RetiredSegment& segment)
      EXCLUDES(mutex_);
  // Moves one from the pool to `taken`.
  void RemoveLocked(Spares::iterator spare, Spares* taken) REQUIRES(mutex_);
  // See Shrink.
  Spares TakeBytesLocked(uint64_t bytes) REQUIRES(mutex_);
  // The first ones until `bytes` are gathered.
  Spares TakeFirstLocked(uint64_t bytes) REQUIRES(mutex_);
  // Removes the file.  Not null: somebody has it.
  std::shared_ptr<SegmentFile> Unlink(const RetiredSegment& segment);
  void GiveBack(const Spares& spares) EXCLUDES(mutex_);

  SegmentDir* const segments_;  // The kernel locks.
  MemoryBudget* const budget_;  // Locks itself.
  const uint64_t limit_bytes_;
  OnBusy on_busy_;

  mutable Mutex mutex_;
  Spares spares_ GUARDED_BY(mutex_);  // The oldest first.
  SparesByFit by_fit_ GUARDED_BY(mutex_);
  Numbers numbers_ GUARDED_BY(mutex_);
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_SEGMENTS_SEGMENT_POOL_H_
