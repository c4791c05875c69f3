// The object table: which objects there are and what may happen to them.
//
//   Insert --> UNSEALED --Seal--> SEALED --Remove, EvictBatch--> GONE
//                  `--Remove-----------------------------------^
//
// Invariants, besides those of Store:
//  (1) An UNSEALED or SEALED object is in the directory; a GONE one is not.
//  (2) A SEALED object has an index slot, a whole journal record and a segment
//      that is read-only; no other object has any of them.
//  (3) The eviction queue has exactly the segments that may go: those of SEALED
//      objects that are not held, and closed slabs in which nothing is held.
//  (4) A segment's memory is charged from its first page on: the budget's
//      charge is the sum over unsealed and dedicated objects, slabs, orphans.
//  (5) A slab has a live object or is the open one.  Objects in it are SEALED.
#ifndef VITRINE_STORE_TABLE_OBJECT_TABLE_H_
#define VITRINE_STORE_TABLE_OBJECT_TABLE_H_

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "schema/base/mutex.h"
#include "store/base/observer.h"
#include "store/base/requests.h"
#include "store/index/client_registry.h"
#include "store/index/pending_wakes.h"
#include "store/segments/dropped_segment.h"
#include "store/segments/segment_dir.h"
#include "store/segments/segment_pool.h"
#include "store/table/change_log.h"
#include "store/table/directory.h"
#include "store/table/eviction_queue.h"
#include "store/table/object_record.h"
#include "store/table/residency.h"
#include "store/table/slab.h"
#include "store/table/slabs.h"

namespace vitrine::store {

// Thread-safe.  `segments` and `clients` must outlive it.
class ObjectTable {
 public:
  ObjectTable(SegmentDir* segments, ClientRegistry* clients, IndexWriter index,
              Journal journal, std::unique_ptr<EvictionPolicy> policy);

  // Takes over what a killed store had sealed; removes all other segments.
  // Returns what that takes besides the slabs.
  Result<uint64_t> Restore(const std::vector<JournaledObject>& journaled)
      EXCLUDES(mutex_);

  void AddObserver(Observer* observer) EXCLUDES(mutex_);
  void RemoveObserver(Observer* observer) EXCLUDES(mutex_);
  std::vector<Observer*> Observers() const EXCLUDES(mutex_);

  // --- unsealed objects ---
  // `recycled`, a retired segment, is its segment; none: a new, empty one.
  Result<ObjectRef> Insert(const ObjectId& id, const NewObject& options,
                           const std::optional<RetiredSegment>& recycled = {})
      EXCLUDES(mutex_);
  // kNotPermitted: sealed.  kNotFound: gone.
  Status CheckWritable(const ObjectRef& object) const EXCLUDES(mutex_);
  // Between Begin and End the object cannot be sealed.  Begin says what is
  // charged for it.
  Result<uint64_t> BeginChange(const ObjectRef& object) EXCLUDES(mutex_);
  void EndChange(const ObjectRef& object) EXCLUDES(mutex_);
  // Says that the object's charge is now at least `charged_bytes`; returns
  // by how much it grew.  Gone objects: 0.
  uint64_t RaiseCharge(const ObjectRef& object, uint64_t charged_bytes)
      EXCLUDES(mutex_);
  Status BeginWriting(const ObjectRef& object, WriteMode mode) EXCLUDES(mutex_);
  // Returns the charge that became free (negative: how much more it takes):
  // after the last writer, memory beyond the size is given back.
  int64_t EndWriting(const ObjectRef& object, WriteMode mode) EXCLUDES(mutex_);
  // Sets the size of the segment, within a change; returns the charge that
  // became free.  While other changes are pending that is nothing: they rely on
  // what they have charged.
  Result<int64_t> SetSize(const ObjectRef& object, uint64_t size_bytes)
      EXCLUDES(mutex_);
  // A carried write ended at `end_bytes`: the size is at least that.
  void NoteWritten(const ObjectRef& object, uint64_t end_bytes)
      EXCLUDES(mutex_);
  Result<UniqueFd> OpenForWriting(const ObjectRef& object) EXCLUDES(mutex_);
  Status SetMode(const ObjectRef& object, mode_t mode) EXCLUDES(mutex_);
  Status SetOwner(const ObjectRef& object, uid_t uid, gid_t gid)
      EXCLUDES(mutex_);
  Status SetModified(const ObjectRef& object, int64_t modified_ns)
      EXCLUDES(mutex_);
  // Returns by how much the object's charge grew.
  Result<int64_t> SetMetadata(const ObjectRef& object, const std::string& name,
                              std::optional<std::string> value)
      EXCLUDES(mutex_);
  // `replaced` gets what had the id before.
  Status Rename(const ObjectRef& object, const ObjectId& id, bool no_replace,
                DroppedSegment* replaced) EXCLUDES(mutex_);
  // Returns the charge that became free.  kTooLarge: with its holes filled it
  // takes more than `most_bytes`.
  Result<int64_t> Seal(const ObjectRef& object, const ObjectId& id,
                       uint64_t most_bytes) EXCLUDES(mutex_);
  // kNotPermitted: sealed.
  Result<DroppedSegment> Abort(const ObjectRef& object) EXCLUDES(mutex_);

  // --- sealed objects ---
  Result<ObjectRef> FindSealed(const ObjectId& id) const EXCLUDES(mutex_);
  Result<ObjectRef> FindUnsealed(const ObjectId& id) const EXCLUDES(mutex_);
  Result<DroppedSegment> Delete(const ObjectRef& object, const Credentials& who)
      EXCLUDES(mutex_);
  Status SetHold(const ObjectRef& object, bool hold, const Credentials& who)
      EXCLUDES(mutex_);

  struct Batch {
    std::vector<DroppedSegment> dropped;
    uint64_t dropped_bytes = 0;
    size_t examined = 0;   // Those that were dropped among them.
    size_t evictable = 0;  // All that could be victims before the batch.
    size_t opened = 0;   // Open through the mount; its close may be under way.
    size_t evicted = 0;  // Objects; a slab goes with its last one.
    std::vector<uint64_t> busy;  // Somebody has these open or mapped.
  };
  // Evicts victims until `bytes` are dropped or a few dozen were examined.  The
  // open slab, the youngest of all, is closed when nothing else is left.
  Batch EvictBatch(uint64_t bytes) EXCLUDES(mutex_);

  // --- small objects, in slabs (object_table_slabs.cc) ---
  // Makes a segment of `size_bytes`, which are charged, the open slab: the
  // retired one `recycled`, or a new one.  The one before is closed; it may be
  // dropped at once.
  Result<DroppedSegment> OpenSlab(
      uint64_t size_bytes, const std::optional<RetiredSegment>& recycled = {})
      EXCLUDES(mutex_);
  // So that eviction may take it.
  DroppedSegment CloseOpenSlab() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return slabs_.Close();
  }
  // Gives an open slab back in which nothing lives, and in which nothing was
  // placed since the last call.
  DroppedSegment CloseIdleSlab() EXCLUDES(mutex_);
  // See Store::PutSmall.  Returns what is to be charged besides the slab.
  uint64_t PutSmall(const Credentials& creator,
                    std::span<const SmallObject> objects,
                    std::vector<Status>* results) EXCLUDES(mutex_);
  // True if the open slab takes an object of `bytes`.
  bool HasRoom(uint64_t bytes) const EXCLUDES(mutex_);

  // --- compaction (object_table_compaction.cc) ---
  struct Compaction {
    size_t moved = 0;  // Objects.
    // Nothing moved because the open slab has no room for so many bytes.
    uint64_t needed_bytes = 0;
    DroppedSegment dropped = {};
  };
  // True if moving what lives in slabs that are nearly empty would give memory
  // back.
  bool WantsCompaction() const EXCLUDES(mutex_);
  // Moves some of it, of one slab after the other, into the open slab.  Readers
  // keep what they have: what is pinned stays, and a slab that is given up
  // stays whole for its users.
  Compaction CompactBatch() EXCLUDES(mutex_);

  // --- any object ---
  ObjectInfo Info(const ObjectRef& object) EXCLUDES(mutex_);
  std::shared_ptr<const Metadata> GetMetadata(const ObjectRef& object) const
      EXCLUDES(mutex_);
  Result<UniqueFd> OpenForReading(const ObjectRef& object) const
      EXCLUDES(mutex_);
  // For the store itself to look at.
  Result<std::shared_ptr<SegmentFile>> Share(const ObjectRef& object)
      EXCLUDES(mutex_);
  // For others to read: a segment of its own is never recycled then. kNotFound:
  // gone.
  Result<std::shared_ptr<SegmentFile>> Lend(const ObjectRef& object)
      EXCLUDES(mutex_);
  bool InUse(const ObjectRef& object) EXCLUDES(mutex_);
  // See Store::Describe.
  std::vector<ListedObject> Describe(std::span<const ObjectRef> objects,
                                     ObjectState state) EXCLUDES(mutex_);
  void Touch(const ObjectRef& object) EXCLUDES(mutex_);
  // The path of the segment, to be told to anybody.
  std::string TellPath(const ObjectRef& object) EXCLUDES(mutex_);
  std::vector<ObjectRef> List(ObjectState state) const EXCLUDES(mutex_);
  // Adds the sealed objects in the `most` index slots from `*slot` on, and sets
  // that to the next; an object keeps its slot.  False: there are no more.
  bool ReadSlots(uint64_t* slot, size_t most,
                 std::vector<ObjectInfo>* infos) const EXCLUDES(mutex_);
  // For each, whether it lives and still has that id.
  std::vector<bool> AreAlive(std::span<const KnownObject> objects) const
      EXCLUDES(mutex_);

  // --- housekeeping ---
  // From now on, segments that others may have are retired when they are
  // dropped, not unlinked.
  void Recycle() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    residency_.Recycle();
  }
  // A number for a segment that is none yet.
  uint64_t NewNumber() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return next_number_++;
  }
  // Moves what clients touched to the young end.
  void DrainTouches() EXCLUDES(mutex_);
  // Objects whose recency or use count changed since the last call.
  std::vector<ObjectInfo> TakeUses() EXCLUDES(mutex_);
  void RewriteJournalIfWanted() EXCLUDES(mutex_);

  struct Numbers {
    uint64_t sealed_objects = 0;
    uint64_t sealed_bytes = 0;
    uint64_t held_objects = 0;
    uint64_t held_bytes = 0;
    uint64_t unsealed_objects = 0;
    uint64_t unsealed_bytes = 0;
    uint64_t evicted_objects = 0;
    uint64_t evicted_bytes = 0;
    uint64_t evictable_segments = 0;
    uint64_t slabs = 0;
    uint64_t slab_bytes = 0;
    uint64_t slab_objects = 0;
    uint64_t moved_objects = 0;  // By compaction.
    uint64_t index_bytes = 0;
    uint64_t journal_bytes = 0;
  };
  Numbers Count() const EXCLUDES(mutex_);
  // Sealed and unsealed objects.
  std::pair<size_t, size_t> CountObjects() const EXCLUDES(mutex_);
  // All that could be evicted if nobody used it.
  struct Victims {
    size_t segments = 0;
    uint64_t bytes = 0;
  };
  Victims CountEvictable() const EXCLUDES(mutex_);
  Result<UniqueFd> OpenIndex() const EXCLUDES(mutex_);

 private:
  Status CheckWritableLocked(const ObjectRecord& object) const REQUIRES(mutex_);
  Status CheckOwnedSealed(const ObjectRecord& object,
                          const Credentials& who) const REQUIRES(mutex_);
  Status CommitSeal(const ObjectRef& object, PendingWakes* wakes)
      REQUIRES(mutex_);
  // Makes it visible.
  Status Publish(const ObjectRef& object) REQUIRES(mutex_);
  // Once for all that were just published: who waits for them is to wake.
  void NoteWaiters(std::span<const ObjectRef> published, PendingWakes* wakes)
      REQUIRES(mutex_);
  Result<ObjectRef> RestoreOne(const JournaledObject& journaled)
      REQUIRES(mutex_);
  // Takes the object out of every structure and unlinks its segment, or its
  // slab with the last object.
  DroppedSegment Drop(const ObjectRef& object, ObjectEventKind why)
      REQUIRES(mutex_);
  void Unpublish(ObjectRecord* object) REQUIRES(mutex_);
  // Drop, of what the journal knows to be removed.
  DroppedSegment DropRecorded(const ObjectRef& object, ObjectEventKind why)
      REQUIRES(mutex_);
  // Counts a hold that begins or ends.
  void CountHold(const ObjectRecord& object, bool hold) REQUIRES(mutex_);
  void TouchLocked(ObjectRecord* object) REQUIRES(mutex_);
  // A segment that may be next to go, and those of its objects that go now.
  struct Victim {
    EvictionEntry* entry = nullptr;
    uint64_t segment = 0;
    uint64_t bytes = 0;
    Slab* slab = nullptr;
    std::vector<ObjectRef> objects;  // Without a slab: one.
  };
  Victim MakeVictim(EvictionEntry* entry) REQUIRES(mutex_);
  std::vector<Victim> MarkVictims(uint64_t bytes) REQUIRES(mutex_);
  // Null: somebody has it open or mapped.
  std::shared_ptr<SegmentFile> LeaseVictim(const Victim& victim, Batch* batch)
      REQUIRES(mutex_);
  // The pins that clients have of these.
  std::unordered_set<uint64_t> FindPinsOf(
      std::span<const ObjectRef> objects) const REQUIRES(mutex_);
  // True if somebody has something in it pinned.  Asked once before the first
  // of its objects go, since a slab goes as a whole.
  bool IsPinned(const Slab& slab) REQUIRES(mutex_);
  bool AnyPinned(const std::vector<ObjectRef>& objects,
                 const std::unordered_set<uint64_t>& pins) const
      REQUIRES(mutex_);
  // False: somebody uses it.
  bool EvictVictim(const Victim& victim,
                   const std::unordered_set<uint64_t>& pins, Batch* batch)
      REQUIRES(mutex_);

  ObjectRef Place(const Credentials& creator, const SmallObject& small,
                  int64_t now_ns) REQUIRES(mutex_);
  // Makes those that were placed visible, one after the other.  Returns how
  // many before the first failure, which is told.
  size_t CommitPlaced(const std::vector<ObjectRef>& placed, PendingWakes* wakes,
                      Status* failure) REQUIRES(mutex_);
  // Up to `most` of those that live there.
  std::vector<ObjectRef> LiveIn(const Slab& slab, size_t most, bool with_held)
      REQUIRES(mutex_);
  Status RestoreInSlab(ObjectRecord* object, const ObjectInfo& journaled)
      REQUIRES(mutex_);

  Compaction MoveOut(Slab* slab) REQUIRES(mutex_);
  // Those of `objects`, all of `slab`, that go into the open slab, as they will
  // be there; their bytes are there already.
  Result<std::vector<ObjectInfo>> CopyOut(const Slab& slab,
                                          std::span<const ObjectRef> objects)
      REQUIRES(mutex_);
  void MoveTo(ObjectRecord* object, const ObjectInfo& place) REQUIRES(mutex_);
  Result<Slab*> RestoreSlab(uint64_t segment) REQUIRES(mutex_);

  SegmentDir* const segments_;     // The kernel locks.
  ClientRegistry* const clients_;  // Locks itself.

  mutable Mutex mutex_;
  Directory directory_ GUARDED_BY(mutex_);
  ChangeLog log_ GUARDED_BY(mutex_);
  EvictionQueue evictable_ GUARDED_BY(mutex_);
  Residency residency_ GUARDED_BY(mutex_);
  Slabs slabs_ GUARDED_BY(mutex_);  // Uses the two above.
  uint64_t next_number_ GUARDED_BY(mutex_);
  std::vector<std::weak_ptr<ObjectRecord>> used_ GUARDED_BY(mutex_);
  uint64_t moved_objects_ GUARDED_BY(mutex_) = 0;
  uint64_t held_objects_ GUARDED_BY(mutex_) = 0;
  uint64_t held_bytes_ GUARDED_BY(mutex_) = 0;
  uint64_t evicted_objects_ GUARDED_BY(mutex_) = 0;
  uint64_t evicted_bytes_ GUARDED_BY(mutex_) = 0;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_OBJECT_TABLE_H_
