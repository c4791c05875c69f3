// Residency: what is known and done of the memory of objects that are here.
//
// Who has a segment open or mapped is what the kernel says of it (leases), and
// what it takes is what the kernel says, too.
//
// Invariants:
//  (1) The store has at most one description of a segment, which those who
//      need it share: leases tell the truth only then.
//  (2) The charge of an unsealed object without pending changes is what its
//      segment takes; that of a sealed one does not change.
//  (3) What others may have had is recycled only for those who could read it.
#ifndef VITRINE_STORE_TABLE_RESIDENCY_H_
#define VITRINE_STORE_TABLE_RESIDENCY_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "store/journal/journal_replay.h"
#include "store/segments/dropped_segment.h"
#include "store/segments/segment_dir.h"
#include "store/segments/segment_pool.h"
#include "store/table/object_record.h"
#include "store/table/slab.h"

namespace vitrine::store {

// Not thread-safe: the object table's lock guards it.  `segments` must outlive
// it.
class Residency {
 public:
  explicit Residency(SegmentDir* segments) : segments_(segments) {}

  // From now on, segments that others may have are retired when they are taken,
  // not unlinked.
  void Recycle() { recycles_ = true; }

  // The store's one description of the segment.  kNotFound: gone.
  // kUnavailable: elsewhere.
  Result<std::shared_ptr<SegmentFile>> Share(ObjectRecord* object);
  Result<std::shared_ptr<SegmentFile>> Share(Slab* slab);

  // kInUse: somebody has it open or mapped writable.
  Status CheckNobodyWrites(ObjectRecord* object);
  // True if anybody has its segment open or mapped, as far as can be told.
  bool IsOpen(ObjectRecord* object);
  // Its own segment, apart from writers that were announced.  True, too, if the
  // kernel does not say.
  bool OthersHave(ObjectRecord* object);

  // True if its segment has the size that the object has, all of the memory for
  // it and no more.
  bool IsUnchanged(ObjectRecord* object);
  // The memory that a segment of this size takes.
  uint64_t WholePages(uint64_t size_bytes) const;
  // Cuts such a segment, to which nobody writes, to `size_bytes`, and settles
  // its charge.  Returns the charge that became free.
  Result<int64_t> CutTo(ObjectRecord* object, uint64_t size_bytes);
  // Its small segment has every page that it should have, and none beyond.
  bool HasItsPages(ObjectRecord* object);
  // Gives memory to holes: a reader's mapping would take it unasked.
  // kTooLarge: it would take more than `most_bytes`.
  Status FillHoles(const ObjectRecord& object, uint64_t most_bytes) const;
  // Sets the charge to what the segment takes; returns what became free.  Not
  // while a change is pending that has charged for what it will take.
  int64_t Settle(ObjectRecord* object);
  // As large, and as lately changed, as an unsealed object is by now.
  void RefreshExtent(ObjectRecord* object);

  // Takes the segment's name away; a process that has it open or mapped keeps
  // it.  The number `retired` is free for it if it is retired.
  DroppedSegment Take(ObjectRecord* object, uint64_t retired);
  DroppedSegment Take(Slab* slab);

  // Makes the retired segment, which has all of the object's bytes, that of an
  // object that was elsewhere.  It has the number that the one before had: if
  // that was not to be recycled, neither is this one.
  Status PutBack(ObjectRecord* object, const RetiredSegment& segment);
  // Finds the segment that a killed store left of `journaled`, and makes it
  // read-only.  kNotFound, kCorruption: it is not there, or another one.
  Status Restore(ObjectRecord* object, const ObjectInfo& journaled);

 private:
  // By retiring it, as `retired`, if there is a place for that; it may be
  // recycled for `audience`, if any.
  void RemoveName(const std::optional<Audience>& audience, uint64_t retired,
                  DroppedSegment* dropped);

  SegmentDir* const segments_;  // The kernel locks.
  bool recycles_ = false;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_RESIDENCY_H_
