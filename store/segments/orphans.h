// Dropped segments that somebody still has open or mapped.
#ifndef VITRINE_STORE_SEGMENTS_ORPHANS_H_
#define VITRINE_STORE_SEGMENTS_ORPHANS_H_

#include <cstdint>
#include <list>
#include <vector>

#include "schema/base/mutex.h"
#include "store/segments/dropped_segment.h"
#include "store/segments/memory_budget.h"
#include "store/segments/segment_pool.h"

namespace vitrine::store {

// Keeps such memory charged until the kernel says that nobody has it any more;
// then the pool takes what is retired, and the rest is given back.
// Thread-safe.  What it is given must outlive it.
class Orphans {
 public:
  Orphans(MemoryBudget* budget, SegmentPool* pool)
      : budget_(budget), pool_(pool) {}

  // Lets go of it now if nobody has it, else when Poll finds so.
  void Add(DroppedSegment dropped) EXCLUDES(mutex_);
  // Looks again.  Whoever still writes to an orphan is charged for it, too.
  void Poll() EXCLUDES(mutex_);

  // The segments that somebody still has.
  std::vector<uint64_t> Segments() const EXCLUDES(mutex_);

  struct Numbers {
    uint64_t count = 0;
    uint64_t bytes = 0;
  };
  Numbers Count() const EXCLUDES(mutex_);

 private:
  static Numbers Sum(const std::list<DroppedSegment>& segments);
  // True if nobody but us has it; then it is let go of.
  bool TryRelease(DroppedSegment* dropped);
  // Gives it to the pool, with a charge that is what it takes.
  void Retire(const DroppedSegment& dropped, uint64_t allocated_bytes);

  MemoryBudget* const budget_;  // Lock themselves.
  SegmentPool* const pool_;
  mutable Mutex mutex_;
  std::list<DroppedSegment> orphans_ GUARDED_BY(mutex_);
  Numbers polled_ GUARDED_BY(mutex_);  // Being looked at by Poll.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_SEGMENTS_ORPHANS_H_
