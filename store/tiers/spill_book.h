// Which object is where in an external store, and what of it is dead.
#ifndef VITRINE_STORE_TIERS_SPILL_BOOK_H_
#define VITRINE_STORE_TIERS_SPILL_BOOK_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "schema/base/mutex.h"
#include "store/tiers/spill_format.h"

namespace vitrine::store {

// Thread-safe.
//
// Invariants:
//  (1) An object is live in one value, that of its place; in all others that
//      have it, it is dead.
//  (2) A value without live objects is in `dead_`, unless it is damaged.
class SpillBook {
 public:
  // 0: no limit.
  explicit SpillBook(uint64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  struct Place {
    uint64_t sequence = 0;
    uint64_t offset_bytes = 0;
    uint64_t size_bytes = 0;
    PayloadHash hash = {};
    bool damaged = false;
    friend bool operator==(const Place&, const Place&) = default;
  };

  // Those that no sound value has.
  std::vector<Tier::Load> LeaveOutKept(std::span<const Tier::Load> loads) const
      EXCLUDES(mutex_);
  // Takes `bytes` of the limit, until a value is added or given up.
  // kOutOfMemory: there are not as many.
  Status Reserve(uint64_t bytes) EXCLUDES(mutex_);
  // Beyond the limit if there is no other way.
  void ForceReserve(uint64_t bytes) EXCLUDES(mutex_);
  void Unreserve(uint64_t bytes) EXCLUDES(mutex_);
  uint64_t NewSequence() EXCLUDES(mutex_);
  // No value will have a sequence up to that.
  void SkipSequence(uint64_t sequence) EXCLUDES(mutex_);

  // A value is in the store, whose bytes are reserved.  Its objects are live
  // there, and no longer where they were.
  void Add(const SpillHead& head) EXCLUDES(mutex_);
  // The same, but those that were forgotten meanwhile are dead.
  void AddCopy(const SpillHead& head) EXCLUDES(mutex_);
  // What may be in the store is to be deleted; `bytes` are reserved for it.
  void AddDead(uint64_t sequence, uint64_t bytes) EXCLUDES(mutex_);
  // It stays as it is, for inspection.
  void AddDamaged(uint64_t sequence, uint64_t bytes) EXCLUDES(mutex_);

  std::optional<Place> Find(uint64_t number) const EXCLUDES(mutex_);
  void Forget(uint64_t number) EXCLUDES(mutex_);
  // False: it was known already, or the object is not there any more.
  bool NoteDamage(uint64_t number, const Place& place) EXCLUDES(mutex_);

  // --- for whoever notes what was forgotten ---

  // Objects that values have that are not dead, and that were forgotten since
  // the last NoteLogged; the oldest first.
  std::vector<uint64_t> NewlyForgotten() const EXCLUDES(mutex_);
  // The first `count` of those are in a log.
  void NoteLogged(size_t count) EXCLUDES(mutex_);
  // All that values have, whether logged or not.
  std::vector<uint64_t> Forgotten() const EXCLUDES(mutex_);
  uint64_t CountForgotten() const EXCLUDES(mutex_);

  // --- for whoever reclaims space ---

  bool HasWork() const EXCLUDES(mutex_);
  // Values without live objects.  They stay dead until they are `Removed`.
  std::vector<uint64_t> DeadValues(size_t most) const EXCLUDES(mutex_);
  void Removed(std::span<const uint64_t> sequences) EXCLUDES(mutex_);
  struct Value {
    uint64_t sequence = 0;
    uint64_t size_bytes = 0;
    uint64_t live_bytes = 0;
  };
  // Values less than half of whose objects' bytes are live: as many as a copy
  // of `live_bytes` can hold, or one.
  std::vector<Value> MostlyDead(uint64_t live_bytes) const EXCLUDES(mutex_);
  // It is not tried again.
  void KeepForInspection(uint64_t sequence) EXCLUDES(mutex_);

  struct Numbers {
    uint64_t objects = 0;
    uint64_t values = 0;
    uint64_t live_bytes = 0;
    uint64_t dead_bytes = 0;  // What values have besides.
    uint64_t limit_bytes = 0;
    uint64_t damaged_objects = 0;
    uint64_t damaged_values = 0;  // Those of damaged objects among them.
    uint64_t dead_values = 0;     // That are still to be deleted.
  };
  Numbers Count() const EXCLUDES(mutex_);

 private:
  struct ValueState {
    uint64_t size_bytes = 0;
    uint64_t full_bytes = 0;  // Of all its objects, dead or alive.
    uint64_t live_bytes = 0;
    uint64_t live_objects = 0;
    bool damaged = false;
    std::vector<uint64_t> forgotten = {};  // Numbers.
  };
  using Values = std::unordered_map<uint64_t, ValueState>;

  void Add(const SpillHead& head, bool only_known) EXCLUDES(mutex_);
  void SetPlace(const Place& place, Place* kept, ValueState* value)
      REQUIRES(mutex_);
  void NoteForgotten(uint64_t number, ValueState* value) REQUIRES(mutex_);
  // The object is not live there any more.
  void Leave(const Place& place) REQUIRES(mutex_);
  // Puts the value where it belongs after a change.
  void Sort(uint64_t sequence, const ValueState& value) REQUIRES(mutex_);
  void MarkDamaged(uint64_t sequence) REQUIRES(mutex_);

  const uint64_t limit_bytes_;

  mutable Mutex mutex_;
  std::unordered_map<uint64_t, Place> places_ GUARDED_BY(mutex_);
  Values values_ GUARDED_BY(mutex_);
  std::set<uint64_t> dead_ GUARDED_BY(mutex_);
  std::set<uint64_t> mostly_dead_ GUARDED_BY(mutex_);
  std::vector<uint64_t> newly_forgotten_ GUARDED_BY(mutex_);
  uint64_t forgotten_ GUARDED_BY(mutex_) = 0;  // Of all values.
  uint64_t last_sequence_ GUARDED_BY(mutex_) = 0;
  uint64_t taken_bytes_ GUARDED_BY(mutex_) = 0;  // Reserved ones, too.
  uint64_t value_bytes_ GUARDED_BY(mutex_) = 0;
  uint64_t live_bytes_ GUARDED_BY(mutex_) = 0;
  uint64_t damaged_objects_ GUARDED_BY(mutex_) = 0;
  uint64_t damaged_values_ GUARDED_BY(mutex_) = 0;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TIERS_SPILL_BOOK_H_
