// The segments that one session has mapped.
//
// A mapping outlives the objects that needed it, because mapping anew costs a
// thousand times more than finding it.  At most kMaxKeptMappings are kept in
// this way.  The store can recall them (Recall), and forked children drop them.
//
// A kept mapping is never stale: it is found by the number in the index,
// numbers are never reused, and segments of sealed objects never change.
//
// There are two levels, so that threads share no data on the way to an existing
// mapping.  Each stripe has a table of the segments that it uses
// (SessionStripe).  This class has all segments, and which stripes use each.
#ifndef VITRINE_CLIENT_INDEX_SEGMENT_CACHE_H_
#define VITRINE_CLIENT_INDEX_SEGMENT_CACHE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "client/index/session_stripe.h"
#include "schema/base/mapping.h"
#include "schema/base/mutex.h"

namespace vitrine {

using SessionStripes = std::vector<std::unique_ptr<SessionStripe>>;

// Thread-safe.  `stripes` must outlive it.  Its mutex comes before the locks
// of stripes.
class SegmentCache {
 public:
  static constexpr size_t kMaxKeptMappings = 1024;

  // Writes to `kept` how many mappings may be dropped if the store asks.
  SegmentCache(const SessionStripes* stripes, std::atomic<uint32_t>* kept)
      : stripes_(stripes), kept_(kept) {}

  // A reference to segment `number` in `stripe`, which the caller gives back
  // by decrementing its count.  `map` is called if it is not mapped yet.
  Result<LocalSegment*> Acquire(uint64_t number, size_t stripe,
                                const std::function<Result<Mapping>()>& map)
      EXCLUDES(mutex_);

  // Unmaps those of `numbers` that no object in hand needs.  The others become
  // `recalled`: the thread that drops the last reference calls Drop again.
  void Drop(std::span<const uint64_t> numbers) EXCLUDES(mutex_);
  void DropAll() EXCLUDES(mutex_);
  size_t size() const EXCLUDES(mutex_);

  // For ForkListener.  The forking thread has all stripes' locks as well.
  void LockForFork() ACQUIRE(mutex_) { mutex_.Lock(); }
  void UnlockAfterFork() RELEASE(mutex_) { mutex_.Unlock(); }
  void DropAllInChild() REQUIRES(mutex_) NO_THREAD_SAFETY_ANALYSIS;

 private:
  struct Segment {
    Mapping mapping;
    uint32_t stripes;  // A bit for each stripe whose table has it.
    std::list<uint64_t>::iterator position;  // In `order_`.
  };
  using Segments = std::unordered_map<uint64_t, Segment>;
  enum class Mercy : uint8_t { kNone, kIfUsedLately };

  LocalSegment* Attach(uint64_t number, size_t stripe, Segment& segment)
      REQUIRES(mutex_);
  // True if no stripe needs it any more; then no stripe's table has it.
  bool Detach(uint64_t number, Segment& segment, Mercy mercy) REQUIRES(mutex_);
  bool DetachFrom(SessionStripe& stripe, uint64_t number, Mercy mercy);
  // Removes it; the caller unmaps it without a lock.
  Mapping Take(Segments::iterator segment) REQUIRES(mutex_);
  std::vector<Mapping> Trim() REQUIRES(mutex_);
  size_t ObjectsInHand() const;
  void Publish() REQUIRES(mutex_);

  const SessionStripes* const stripes_;
  std::atomic<uint32_t>* kept_;

  mutable Mutex mutex_;
  Segments segments_ GUARDED_BY(mutex_);
  std::list<uint64_t> order_ GUARDED_BY(mutex_);  // The next victim first.
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_INDEX_SEGMENT_CACHE_H_
