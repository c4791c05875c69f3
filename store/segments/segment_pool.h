// Recycled segments: segments whose objects are gone are kept here, with their
// pages, for the next object of about the same size.  Present pages are several
// times faster to fill than new ones, which the kernel clears first.
//
// Invariants:
//  (1) A reader of recycled bytes could read all of them before.  A segment
//      goes only to an object of the same owner, group and mode.  A slab, which
//      every client maps as a whole, becomes a slab of the same size again.
//  (2) No process has a segment open or mapped when it is handed out: the
//      kernel is asked again.
//  (3) All segments are charged as parked, and are freed before a request waits
//      for memory and before anything is evicted.  While one waits, a segment
//      that suits it goes to it, and others are freed.
//  (4) A segment here is retired (see SegmentDir): a restart finds none.
//  (5) If a segment is freed while a process has it (only the store's own user
//      can open it), SetOnBusy's function gets it with its charge.
#ifndef VITRINE_STORE_SEGMENTS_SEGMENT_POOL_H_
#define VITRINE_STORE_SEGMENTS_SEGMENT_POOL_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "schema/base/mutex.h"
#include "store/segments/memory_budget.h"
#include "store/segments/retired_segment.h"
#include "store/segments/segment_dir.h"
#include "store/segments/segment_file.h"

namespace vitrine::store {

// Thread-safe.  The directory and the budget must outlive it.
class SegmentPool {
 public:
  using Clock = std::chrono::steady_clock;

  // Keeps up to `limit_bytes`; 0: no segments.
  SegmentPool(SegmentDir* segments, MemoryBudget* budget, uint64_t limit_bytes)
      : segments_(segments), budget_(budget), limit_bytes_(limit_bytes) {}
  SegmentPool(const SegmentPool&) = delete;
  SegmentPool& operator=(const SegmentPool&) = delete;

  bool enabled() const { return limit_bytes_ > 0; }

  // Takes over a removed segment that a process has, and its charge, as used.
  using OnBusy = std::function<void(std::shared_ptr<SegmentFile> file,
                                    const RetiredSegment& segment)>;
  // Set before first use.
  void SetOnBusy(OnBusy on_busy) { on_busy_ = std::move(on_busy); }

  // Where retired segments are.
  SegmentDir* segments() const { return segments_; }

  // Takes a retired segment, whose memory is charged as used, hands it to the
  // request whose turn it is, or frees its memory.  No process has it open or
  // mapped.
  void Put(const Audience& audience, RetiredSegment segment) EXCLUDES(mutex_);
  // Frees a retired segment that is not in the pool; its memory is charged as
  // used.
  void Drop(const RetiredSegment& segment) EXCLUDES(mutex_);
  // A request has taken what Put handed over.
  void NoteHandedOver() EXCLUDES(mutex_);
  // Finds the segment that suits an object of `size_bytes` best, and cuts it to
  // that size; it may also be smaller.  Its memory is charged as used.
  std::optional<RetiredSegment> Take(const Audience& audience,
                                     uint64_t size_bytes) EXCLUDES(mutex_);
  // The same, but only a segment that has all of the memory.
  std::optional<RetiredSegment> TakeWhole(const Audience& audience,
                                          uint64_t size_bytes) EXCLUDES(mutex_);
  // Cuts a retired segment, which is not in the pool, for an object of
  // `size_bytes`; it may also be smaller.  Empty: it is of no use.
  std::optional<RetiredSegment> Refit(const RetiredSegment& segment,
                                      uint64_t size_bytes) const;
  // Makes a segment with cleared pages ahead of time, as `number`, if free
  // memory is ample and no segment suits yet.  False: it did not.
  bool Prepare(const Audience& audience, uint64_t size_bytes, uint64_t number)
      EXCLUDES(mutex_);

  // Frees at least `bytes`, or all: the smallest segment that is large enough,
  // else the largest ones.
  void Shrink(uint64_t bytes) EXCLUDES(mutex_);
  // Frees segments that came before `before`.
  void DropOlder(Clock::time_point before) EXCLUDES(mutex_);

  struct Numbers {
    uint64_t segments = 0;
    uint64_t bytes = 0;
    uint64_t limit_bytes = 0;
    uint64_t reused = 0;       // Segments handed out.
    uint64_t handed_over = 0;  // Of these, to requests that waited.
    uint64_t missed = 0;       // Requests without a suitable segment.
    uint64_t prepared = 0;     // Made ahead of time.
  };
  Numbers Count() const EXCLUDES(mutex_);

 private:
  struct Spare {
    Audience audience;
    RetiredSegment segment;
    Clock::time_point since;
  };
  using Spares = std::list<Spare>;
  // Within an audience and a size, the youngest comes first: the segments that
  // are left over have been unused for longest.
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
  enum class Fit : uint8_t { kAny, kWhole };
  std::optional<RetiredSegment> Take(const Audience& audience,
                                     uint64_t size_bytes, Fit fit)
      EXCLUDES(mutex_);
  // Takes the best fit out of the pool; empty: no segment fits.
  Spares Extract(const Audience& audience, uint64_t size_bytes, Fit fit)
      EXCLUDES(mutex_);
  // The smallest segment that is large enough, else (kAny) the largest smaller
  // one, within kMostRefitRatio.
  SparesByFit::iterator FindBest(const Audience& audience, uint64_t size_bytes,
                                 Fit fit) REQUIRES(mutex_);
  void Add(const Audience& audience, const RetiredSegment& segment)
      EXCLUDES(mutex_);
  // Moves one from the pool to `taken`.
  void RemoveLocked(Spares::iterator spare, Spares* taken) REQUIRES(mutex_);
  // See Shrink.
  Spares TakeBytesLocked(uint64_t bytes) REQUIRES(mutex_);
  // Takes the first ones until they have `bytes`.
  Spares TakeFirstLocked(uint64_t bytes) REQUIRES(mutex_);
  // Removes the file.  Not null: a process has it.
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
