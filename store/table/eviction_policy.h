// Who goes next.
#ifndef VITRINE_STORE_TABLE_EVICTION_POLICY_H_
#define VITRINE_STORE_TABLE_EVICTION_POLICY_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace vitrine::store {

class ObjectRecord;
class Slab;
struct EvictionEntry;

// The neighbours of an entry in a list; null: it is in none.
struct EvictionLinks {
  EvictionEntry* previous = nullptr;
  EvictionEntry* next = nullptr;
};

// A segment as the eviction policy knows it.  It is a part of what it stands
// for, which takes it out of the policy before it ends.
struct EvictionEntry {
  EvictionEntry() = default;
  EvictionEntry(const EvictionEntry&) = delete;
  EvictionEntry& operator=(const EvictionEntry&) = delete;

  bool known() const { return all.next != nullptr; }

  // Its eviction has begun.  Whatever speaks against that, a use among it,
  // takes it back.
  bool leaving = false;
  // Counts those that were added to the queue before it.
  uint64_t added_as = 0;
  // Whose segment it is: one of them.
  ObjectRecord* object = nullptr;
  Slab* slab = nullptr;
  // Whose memory it is.  It stays so while the policy knows the segment.
  uid_t owner = 0;
  // Of the policy.
  EvictionLinks all;
  EvictionLinks of_owner;
};

// Orders the segments that may be evicted.  Every operation takes constant
// time and no memory.  Not thread-safe: the object table's lock guards it.
class EvictionPolicy {
 public:
  virtual ~EvictionPolicy() = default;
  // It may be evicted from now on; it counts as just used.
  virtual void Add(EvictionEntry* entry) = 0;
  // It may no longer be evicted.  Unknown ones are ignored.
  virtual void Remove(EvictionEntry* entry) = 0;
  // It was used.  Unknown ones are ignored.
  virtual void Touch(EvictionEntry* entry) = 0;
  // Calls `visit` with entries, the next victim first, until it says false.
  // `visit` must not change the policy.
  virtual void Visit(
      const std::function<bool(EvictionEntry* entry)>& visit) = 0;
  // The same for the entries of one owner.
  virtual void VisitOf(
      uid_t owner, const std::function<bool(EvictionEntry* entry)>& visit) = 0;
  virtual size_t size() const = 0;
  virtual size_t SizeOf(uid_t owner) const = 0;
  virtual const char* name() const = 0;
};

// Least recently used first.
std::unique_ptr<EvictionPolicy> MakeLruPolicy();

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_EVICTION_POLICY_H_
