// The object table's parts, and the steps that several operations have in
// common, under one lock.
//
// Invariants of the parts together, besides their own:
//  (1) An UNSEALED or SEALED object is in the directory; a GONE one is not. Nor
//      is a BLANK, which has no id; it is in `blanks`, by number.
//  (2) A SEALED object has an index slot and a whole journal record.  Its bytes
//      are in memory, in a segment that is read-only, or elsewhere: then it has
//      no segment.  No object in another state has any of them.
//  (3) The eviction queue has exactly the segments that may go: those of SEALED
//      objects that are in memory and not held, and closed slabs in which
//      nothing is held.
//  (4) A segment's memory is charged from its first page on: the budget's
//      charge is the sum over blanks, unsealed and dedicated objects, slabs,
//      orphans.
//  (5) A slab has a live object or is the open one.  Objects in it are SEALED.
//  (6) The accounts have, for each user and each group, the sum over its blanks
//      and objects of what they cost (ChargeOf), and its orphans.  A small
//      object costs its bytes and its entries; what is left of slabs is
//      nobody's.  All of this but orphans is charged with `mutex` held, so that
//      what the accounts have let pass under one hold of it is still so.
#ifndef VITRINE_STORE_TABLE_TABLE_STATE_H_
#define VITRINE_STORE_TABLE_TABLE_STATE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "schema/base/mutex.h"
#include "store/index/client_registry.h"
#include "store/index/pending_wakes.h"
#include "store/segments/dropped_segment.h"
#include "store/segments/segment_dir.h"
#include "store/table/change_log.h"
#include "store/table/directory.h"
#include "store/table/eviction_queue.h"
#include "store/table/object_record.h"
#include "store/table/reckoning.h"
#include "store/table/residency.h"
#include "store/table/slabs.h"

namespace vitrine::store {

// `segments`, `clients` and `accounts` must outlive it.
struct TableState {
  TableState(SegmentDir* segments, ClientRegistry* clients, Accounts* accounts,
             IndexWriter index, Journal journal,
             std::unique_ptr<EvictionPolicy> policy);

  // Makes a sealed object visible.
  Status Publish(const ObjectRef& object) REQUIRES(mutex);
  // The same, of an object whose bytes are elsewhere.
  Status PublishElsewhere(const ObjectRef& object) REQUIRES(mutex);
  // Notes the waiters of the objects that were just published, once for all.
  void NoteWaiters(std::span<const ObjectRef> published, PendingWakes* wakes)
      REQUIRES(mutex);
  // Takes the object out of every part and unlinks its segment, or its slab
  // with the last object.
  DroppedSegment Drop(const ObjectRef& object, ObjectEventKind why)
      REQUIRES(mutex);
  // Drop, of an object whose removal is in the journal.
  DroppedSegment DropRecorded(const ObjectRef& object, ObjectEventKind why)
      REQUIRES(mutex);
  // The bytes of a sealed object are elsewhere from now on; the slot is marked.
  // Returns the object's segment, or its slab with the last object.
  DroppedSegment SendElsewhere(const ObjectRef& object) REQUIRES(mutex);
  // The bytes of an object that was elsewhere are in memory: in `slab`, or in a
  // segment of its own.
  void Return(const ObjectRef& object, Slab* slab, uint64_t offset_bytes,
              PendingWakes* wakes) REQUIRES(mutex);

  // A number that no object and no segment has had.
  uint64_t NewNumber() EXCLUDES(mutex);
  // Notes a use now.
  void Touch(ObjectRecord* object) REQUIRES(mutex);
  // Counts a hold that begins or ends.
  void CountHold(const ObjectRecord& object, bool hold) REQUIRES(mutex);
  // kOverQuota: the object's user must not have `bytes` more.
  Status CheckMemory(const ObjectRecord& object, uint64_t bytes) const
      REQUIRES(mutex) {
    return accounts->Check(PayerOf(object), OnlyOf(Resource::kMemory, bytes));
  }
  // The pins that clients have of these sealed objects.
  std::unordered_set<uint64_t> FindPinsOf(
      std::span<const ObjectRef> objects) const REQUIRES(mutex);
  // Up to `most` of the objects that live in `slab`.
  std::vector<ObjectRef> LiveIn(const Slab& slab, size_t most, bool with_held)
      REQUIRES(mutex);

  SegmentDir* const segments;     // The kernel locks.
  ClientRegistry* const clients;  // Lock themselves.
  Accounts* const accounts;

  mutable Mutex mutex;
  Directory directory GUARDED_BY(mutex);
  ChangeLog log GUARDED_BY(mutex);
  EvictionQueue evictable GUARDED_BY(mutex);
  Residency residency GUARDED_BY(mutex);
  Slabs slabs GUARDED_BY(mutex);  // Uses the two above.
  std::unordered_map<uint64_t, ObjectRef> blanks GUARDED_BY(mutex);
  uint64_t blank_bytes GUARDED_BY(mutex) = 0;  // As they were given away.
  uint64_t next_number GUARDED_BY(mutex);
  // Objects that were used since Upkeep::TakeUses.
  std::vector<std::weak_ptr<ObjectRecord>> used GUARDED_BY(mutex);

  uint64_t held_objects GUARDED_BY(mutex) = 0;
  uint64_t held_bytes GUARDED_BY(mutex) = 0;
  uint64_t evicted_objects GUARDED_BY(mutex) = 0;
  uint64_t evicted_bytes GUARDED_BY(mutex) = 0;
  uint64_t moved_objects GUARDED_BY(mutex) = 0;
  uint64_t returned_objects GUARDED_BY(mutex) = 0;

 private:
  void Unpublish(ObjectRecord* object) REQUIRES(mutex);
  // Takes the object's segment.  It is not recycled if others than its owner
  // may have kept pages of it.
  DroppedSegment TakeSegment(ObjectRecord* object, uint64_t retired)
      REQUIRES(mutex);
  // The sealed object's bytes come into memory, or leave it.
  void EnterMemory(const ObjectRecord& object) REQUIRES(mutex);
  void LeaveMemory(ObjectRecord* object) REQUIRES(mutex);
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_TABLE_STATE_H_
