// Eviction, in three steps, so that bytes can be carried elsewhere meanwhile.
//
// 1. Begin, under the lock: the oldest entries of the queue are leaving.
//
// 2. Carry, without a lock: the caller copies their bytes to where they go.
//
// 3. Finish, under the lock: each victim goes that is still leaving, and that
//    no process has pinned, open or mapped.  The others are taken back.
//
//           .---------------- taken back <----------------.
//           v                                             |
//   SEALED, in memory --Begin--> leaving --Finish--> evicting
//                                                         |
//                              GONE <--without a tier-----+
//              SEALED and ELSEWHERE <--with a tier--------'
//
// A victim that leaves is an ordinary object: it is found, read, pinned, held
// and deleted as any other.  A use, a hold or a removal takes it back.  Readers
// see only the moment within Finish in which the slots are marked as evicting.
//
// Evictor says when and how much.
#ifndef VITRINE_STORE_TABLE_EVICTION_H_
#define VITRINE_STORE_TABLE_EVICTION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_set>
#include <vector>

#include "store/table/table_state.h"

namespace vitrine::store {

// What becomes of evicted objects.
enum class Fate : uint8_t { kGone, kElsewhere };

// Thread-safe, but for one eviction at a time.  `table` must outlive it.
class Eviction {
 public:
  explicit Eviction(TableState* table) : table_(table) {}

  // A segment that is leaving, and those of its objects that go now.
  struct Victim {
    uint64_t segment = 0;
    bool slab = false;
    uint64_t bytes = 0;
    std::vector<ObjectRef> objects;
    // For the carrier, with Fate::kElsewhere: what to carry, and where it is.
    std::vector<JournaledObject> contents = {};
    std::shared_ptr<SegmentFile> file = {};
    // Set by the carrier: the tier has all of them.  False: the victim is taken
    // back.
    bool carried = false;
  };
  struct Batch {
    std::vector<DroppedSegment> dropped = {};
    uint64_t dropped_bytes = 0;
    size_t examined = 0;    // Victims; those that were dropped among them.
    size_t evictable = 0;   // All that could be victims before the batch.
    bool by_share = false;  // Only those of users over their fair share could.
    size_t opened = 0;   // Open through the mount; its close may be under way.
    size_t evicted = 0;  // Objects; a slab goes with its last one.
    size_t taken_back = 0;            // Victims that were wanted meanwhile.
    size_t spared = 0;                // At most: because they are young.
    std::vector<uint64_t> busy = {};  // Segments that are open or mapped.
    // Objects that were deleted while they were carried: the tier may forget
    // them.
    std::vector<uint64_t> deleted = {};
  };
  struct Departure {
    Fate fate = Fate::kGone;
    uint64_t bytes = 0;  // As many are to be freed.
    std::vector<Victim> victims = {};
    Batch so_far = {};
    Status unreadable = {};  // Of the last victim that cannot be carried.
  };
  using Excesses = Accounts::Excesses;
  struct Wishes {
    // Those that came last are no victims: older ones may be in use only until
    // their users are asked to let go of them.
    bool spares_young = false;
    // Only what has a copy goes: the tier takes no more.
    bool only_copied = false;
    // Segments of these users go first, of each no more than he has too much;
    // the others only if those have none.
    Excesses over = {};
  };
  // Chooses victims of at least `bytes` together, or a few dozen.  The open
  // slab, the youngest of all, is closed when nothing else is left.
  Departure Begin(uint64_t bytes, Fate fate, const Wishes& wishes)
      EXCLUDES(table_->mutex);
  Departure Begin(uint64_t bytes, Fate fate) EXCLUDES(table_->mutex) {
    return Begin(bytes, fate, Wishes());
  }
  Batch Finish(Departure departure) EXCLUDES(table_->mutex);

  // Sealed objects that are in memory, also those in use, for the carrier. They
  // are not leaving.  Looks at some slots from `*slot` on, and moves that
  // on; kNoSlot: that was the end.
  Departure InMemory(uint32_t* slot) EXCLUDES(table_->mutex);

 private:
  // The victims of a batch, while they are chosen.
  struct Choice;
  // False: they are enough.
  bool Choose(EvictionEntry* entry, Choice* choice) REQUIRES(table_->mutex);
  static bool IsCopied(const Victim& victim);
  void ChooseOldest(Choice* choice) REQUIRES(table_->mutex);
  void ChooseByShare(const Excesses& over, Choice* choice)
      REQUIRES(table_->mutex);
  // How many segments these users have that could be victims.
  size_t SumSizes(const Excesses& over) const REQUIRES(table_->mutex);
  Victim MakeVictim(const EvictionEntry& entry) REQUIRES(table_->mutex);
  Slab* SlabOf(const Victim& victim) REQUIRES(table_->mutex);
  // Null: the segment is gone.
  EvictionEntry* EntryOf(const Victim& victim) REQUIRES(table_->mutex);
  Result<std::shared_ptr<SegmentFile>> Share(const Victim& victim)
      REQUIRES(table_->mutex);
  // True if the mount has it open.
  bool IsOpened(const Victim& victim) REQUIRES(table_->mutex);
  // Leaves out those that are in use: carrying them would be in vain.
  void LeaveOutUsed(Departure* departure) REQUIRES(table_->mutex);
  Status PrepareCarrying(Victim* victim) REQUIRES(table_->mutex);
  // False: it cannot be carried.
  bool IsReadable(Victim* victim) REQUIRES(table_->mutex);
  // Adds what is in memory to its segment's victim.
  void AddInMemory(const ObjectRef& object, std::vector<Victim>* victims)
      REQUIRES(table_->mutex);

  // Leaves in it the objects that are still leaving: none, if it was used, held
  // or removed since Begin.
  void KeepLeaving(Victim* victim, Batch* batch) REQUIRES(table_->mutex);
  void Mark(const std::vector<Victim>& victims) REQUIRES(table_->mutex);
  std::unordered_set<uint64_t> FindPins(
      const std::vector<Victim>& victims) const REQUIRES(table_->mutex);
  bool AnyPinned(const std::vector<ObjectRef>& objects,
                 const std::unordered_set<uint64_t>& pins) const
      REQUIRES(table_->mutex);
  // True if the slab's eviction begins or goes on: nothing in it is pinned.
  bool SlabMayGo(Slab* slab) REQUIRES(table_->mutex);
  // Null: a process has it open or mapped.
  std::shared_ptr<SegmentFile> Lease(const Victim& victim, Batch* batch)
      REQUIRES(table_->mutex);
  // False: it is in use.
  bool Evict(const Victim& victim, const std::unordered_set<uint64_t>& pins,
             Fate fate, Batch* batch) REQUIRES(table_->mutex);
  bool RecordEnd(const Victim& victim, Fate fate) REQUIRES(table_->mutex);
  DroppedSegment Remove(const ObjectRef& object, Fate fate)
      REQUIRES(table_->mutex);
  void NoteCopies(const Victim& victim, Batch* batch) REQUIRES(table_->mutex);
  // Its marks go, and others are tried first.
  void TakeBack(const Victim& victim, bool examined) REQUIRES(table_->mutex);

  TableState* const table_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_EVICTION_H_
