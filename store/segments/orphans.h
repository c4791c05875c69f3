// Dropped segments that a process still has open or mapped.
#ifndef VITRINE_STORE_SEGMENTS_ORPHANS_H_
#define VITRINE_STORE_SEGMENTS_ORPHANS_H_

#include <cstdint>
#include <list>
#include <vector>

#include "schema/base/mutex.h"
#include "store/accounts/accounts.h"
#include "store/segments/dropped_segment.h"
#include "store/segments/memory_budget.h"
#include "store/segments/segment_pool.h"

namespace vitrine::store {

// Keeps such memory charged until the kernel says that no process has it any
// more.  Then the pool takes those that may be recycled; the others are freed.
// Meanwhile whoever owned the object pays for it, as for a deleted file: else
// whoever keeps what he deletes mapped has no limit.  A retired segment is
// opened only to ask the kernel: users can have more segments mapped than the
// store may have descriptors.  Thread-safe.  All that it is given must outlive
// it.
class Orphans {
 public:
  Orphans(MemoryBudget* budget, SegmentPool* pool, Accounts* accounts)
      : budget_(budget), pool_(pool), accounts_(accounts) {}

  // Releases it now if no process has it, else in a later Poll.
  void Add(DroppedSegment dropped) EXCLUDES(mutex_);
  // Checks all orphans again.  Also charges the growth of orphans that a
  // process still writes to.
  void Poll() EXCLUDES(mutex_);

  // The segments that a process still has.
  std::vector<uint64_t> Segments() const EXCLUDES(mutex_);

  struct Numbers {
    uint64_t count = 0;
    uint64_t bytes = 0;
  };
  Numbers Count() const EXCLUDES(mutex_);

 private:
  static Numbers Sum(const std::list<DroppedSegment>& segments);
  // False: a retired segment cannot be opened now.
  bool Reopen(DroppedSegment* dropped) const;
  // True if no other process has it; then it is released.
  bool TryRelease(DroppedSegment* dropped);
  void Free(DroppedSegment* dropped);
  // A writer may have gone on writing after the name was gone.
  void RaiseCharge(DroppedSegment* dropped);
  void ChargePayer(const DroppedSegment& dropped, uint64_t released_bytes,
                   uint64_t charged_bytes);
  // Gives it to the pool, and corrects its charge to its actual size.
  void Retire(const DroppedSegment& dropped, uint64_t allocated_bytes);

  MemoryBudget* const budget_;  // Lock themselves.
  SegmentPool* const pool_;
  Accounts* const accounts_;
  mutable Mutex mutex_;
  std::list<DroppedSegment> orphans_ GUARDED_BY(mutex_);
  Numbers polled_ GUARDED_BY(mutex_);  // Those that Poll is checking.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_SEGMENTS_ORPHANS_H_
