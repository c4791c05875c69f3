// The slabs: which there are, which one takes new objects, which are nearly
// empty.
//
// Invariants:
//  (1) A slab has a live object or is the open one, but for the moment between
//      Restore and EndRestore.
//  (2) The eviction queue has exactly the slabs that are closed and in which
//      nothing is held.
//  (3) bytes() is the sum of the slabs' sizes, objects() of what lives in them.
#ifndef VITRINE_STORE_TABLE_SLABS_H_
#define VITRINE_STORE_TABLE_SLABS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <unordered_map>

#include "store/segments/dropped_segment.h"
#include "store/table/eviction_queue.h"
#include "store/table/object_record.h"
#include "store/table/residency.h"
#include "store/table/slab.h"

namespace vitrine::store {

// Owns the slabs.  Not thread-safe: the object table's lock guards it and what
// it is given, which must outlive it.
class Slabs {
 public:
  Slabs(Residency* residency, EvictionQueue* evictable)
      : residency_(residency), evictable_(evictable) {}

  // Null: none.
  Slab* open() const { return open_; }
  Slab* Find(uint64_t segment) const;
  // True if the open slab takes an object of `bytes`.
  bool HasRoom(uint64_t bytes) const {
    return open_ != nullptr && open_->HasRoom(bytes);
  }

  // Each of these returns the segment of a slab that is given up; its number is
  // 0 if none is.
  // `slab` takes the new objects from now on; the one before is closed.
  DroppedSegment Open(std::unique_ptr<Slab> slab);
  DroppedSegment Close();
  // Closes an open slab in which nothing lives, and in which nothing was placed
  // since the last call.
  DroppedSegment CloseIdle();
  // An object has left `slab`.
  DroppedSegment Leave(Slab* slab);
  DroppedSegment Drop(Slab* slab);

  // The object, which has its slot, lives in its slab from now on, or no
  // longer.
  void Add(const ObjectRecord& object);
  void Remove(const ObjectRecord& object);
  // An object of `slab` is held from now on, or no longer.
  void CountHold(Slab* slab, bool hold);

  // True if moving what lives in slabs that are nearly empty would give memory
  // back.
  bool WantsCompaction() const;
  // The next of them, one after the other.  Null: there is none.
  Slab* NextSparse();

  // A closed slab that a killed store left.
  Slab* Restore(uint64_t segment, uint64_t size_bytes, uid_t owner = 0);
  // All that lives in restored slabs is there.
  void EndRestore();

  size_t size() const { return slabs_.size(); }
  uint64_t bytes() const { return bytes_; }
  uint64_t objects() const { return objects_; }

 private:
  void NoteIfSparse(const Slab& slab);
  void UpdateEvictable(Slab* slab);

  Residency* const residency_;
  EvictionQueue* const evictable_;
  std::unordered_map<uint64_t, std::unique_ptr<Slab>> slabs_;  // By segment.
  Slab* open_ = nullptr;
  std::set<uint64_t> sparse_;  // Segments.
  uint64_t last_compacted_ = 0;
  uint64_t idle_end_bytes_ = 0;  // Where CloseIdle last saw the end.
  uint64_t bytes_ = 0;
  uint64_t objects_ = 0;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_SLABS_H_
