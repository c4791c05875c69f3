// Brings objects that are elsewhere back into memory.
#ifndef VITRINE_STORE_KEEPERS_RETRIEVER_H_
#define VITRINE_STORE_KEEPERS_RETRIEVER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>

#include "schema/base/mutex.h"
#include "store/base/requests.h"
#include "store/segments/memory_budget.h"
#include "store/segments/segment_dir.h"
#include "store/segments/segment_file.h"
#include "store/table/object_table.h"
#include "store/tiers/tier.h"

namespace vitrine::store {

// Fetches each object once for all callers that want it.  The first caller
// waits for memory; the others wait behind it.  If the first one's time is
// over, the next one waits for memory.
//
// Thread-safe.  All that it is given must outlive it.
class Retriever {
 public:
  struct Parts {
    ObjectTable* table;
    SegmentDir* segments;
    MemoryBudget* budget;
    Tier* tier;
    // Makes room for a small object of `bytes`, as SmallPuts::AddRoom.
    std::function<void(uint64_t bytes, SpaceWait wait, Done<void> done,
                       const void* whose)>
        add_room;
    // Runs a task on a thread that may wait for the tier.
    std::function<void(std::function<void()> task)> run;
  };
  explicit Retriever(Parts parts) : parts_(std::move(parts)) {}
  Retriever(const Retriever&) = delete;
  Retriever& operator=(const Retriever&) = delete;

  // See SealedObjects::Want.  `object` is sealed.
  void Want(const ObjectRef& object, SpaceWait wait, Done<void> done)
      EXCLUDES(mutex_);

  // Ends the waits whose deadline is at or before `now`, but for the first one
  // of each object, which waits for memory: kOutOfMemory.
  void ExpireWaits(Deadline now) EXCLUDES(mutex_);

  struct Numbers {
    size_t waiting = 0;     // Objects that are on their way.
    uint64_t failures = 0;  // Objects that the tier could not give.
  };
  Numbers Count() const EXCLUDES(mutex_);

 private:
  struct Waiter {
    SpaceWait wait;
    Done<void> done;
  };

  // Where a caller waits; kNone: the object is in memory, or gone.
  enum class Place : uint8_t { kNone, kFirst, kBehind };
  Place Join(const ObjectRef& object, SpaceWait wait, const Done<void>& done)
      EXCLUDES(mutex_);
  // Waits for memory on behalf of the first waiter.
  void Start(const ObjectRef& object, SpaceWait wait) EXCLUDES(mutex_);
  Result<RetiredSegment> FetchSegment(const ObjectInfo& info);
  Status Fill(const SegmentFile& file, const ObjectInfo& info);
  // Fetches the bytes; their memory is charged.
  Status PutBack(const ObjectRef& object, const ObjectInfo& info,
                 uint64_t charged_bytes);
  void FetchSmall(const ObjectRef& object, const ObjectInfo& info,
                  SpaceWait wait) EXCLUDES(mutex_);
  Status Get(const ObjectInfo& info, std::span<std::byte> bytes);
  bool IsGone(const ObjectRef& object) const;
  void EndWaitIfGone(const ObjectRef& object);
  // Tells all waiters.
  void Finish(const ObjectRef& object, Status status) EXCLUDES(mutex_);
  // There was no memory in the first waiter's time.  Tells it, and starts again
  // for the next one.
  void GiveUp(const ObjectRef& object, const Error& error) EXCLUDES(mutex_);
  // The object's first waiter, which is removed, and the wait of the next.
  Done<void> TakeFirst(uint64_t number, std::optional<SpaceWait>* next)
      EXCLUDES(mutex_);
  uint64_t ChargeOf(const ObjectInfo& info) const;

  const Parts parts_;

  mutable Mutex mutex_;
  // By number, the first one first.
  std::unordered_map<uint64_t, std::deque<Waiter>> waiters_ GUARDED_BY(mutex_);
  uint64_t failures_ GUARDED_BY(mutex_) = 0;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_KEEPERS_RETRIEVER_H_
