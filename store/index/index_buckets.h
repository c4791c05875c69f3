// The hash table of the index (schema/index_layout.h): where objects are in it,
// how it grows, and its memory.
#ifndef VITRINE_STORE_INDEX_INDEX_BUCKETS_H_
#define VITRINE_STORE_INDEX_INDEX_BUCKETS_H_

#include <vitrine/result.h>

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "schema/base/mapping.h"
#include "schema/index_layout.h"

namespace vitrine::store {

// All of an object that readers see.
struct IndexedObject {
  IndexKey key;
  uint64_t word;
  uint64_t segment;
  uint64_t offset;
  uint64_t size_bytes;
  uint64_t number;
  uint32_t slot;
  uint8_t flags;
};

// While it lives, the chain that begins at `first` changes.  Readers that see a
// change see the odd version, if the stores meanwhile are release stores, which
// readers acquire.
class ChainChange {
 public:
  explicit ChainChange(IndexBucket* first) : version_(first->version) {
    version_.store(Version() + 1, std::memory_order_relaxed);
  }
  ChainChange(const ChainChange&) = delete;
  ChainChange& operator=(const ChainChange&) = delete;
  ~ChainChange() { version_.store(Version() + 1, std::memory_order_release); }

 private:
  uint32_t Version() const { return version_.load(std::memory_order_relaxed); }

  std::atomic<uint32_t>& version_;
};

// Not thread-safe.
class IndexBuckets {
 public:
  static constexpr uint32_t kSlotLimit = (uint32_t{1} << 24) - 1;  // 24 bits.

  // Makes an empty index of the file `fd`, which must outlive it.
  static Result<IndexBuckets> Create(int fd);

  // A place for one object, in one bucket.  It is another one after the next
  // Insert or Erase.
  struct Place {
    IndexBucket* bucket;
    size_t number;

    std::atomic<uint64_t>& word() const { return bucket->words[number]; }
    uint32_t slot_and_flags() const;
    uint32_t slot() const { return SlotOf(slot_and_flags()); }
    IndexEntry& entry() const { return bucket->entries[number]; }
    IndexKey key() const;
  };

  // The slot that has `key`; kNoSlot: none.
  uint32_t Find(const IndexKey& key) const;
  // Neither key nor slot are in the table.  kOutOfMemory: no memory for it.
  Status Insert(const IndexedObject& object);
  // `slot` is in the table, here and below.
  void Erase(uint32_t slot);
  Place PlaceOf(uint32_t slot) const;
  bool Contains(uint32_t slot) const {
    return slot < places_.size() && places_[slot] != kNoPlace;
  }

  // The first bucket of the chain of `key`.
  IndexBucket& FirstOf(const IndexKey& key) const;
  // The versions of the buckets that were split since the last call.
  std::vector<const std::atomic<uint32_t>*> TakeSplit() {
    return std::exchange(split_, {});
  }

  uint64_t seed() const { return header().seed; }
  uint32_t bucket_count() const;

 private:
  static constexpr uint32_t kNoPlace = UINT32_MAX;

  IndexBuckets(int fd, Mapping mapping);

  const IndexHeader& header() const {
    return *reinterpret_cast<const IndexHeader*>(mapping_.data());
  }
  std::atomic<uint32_t>& count() const;
  IndexBucket& BucketAt(uint32_t number) const;
  uint32_t NumberOf(const IndexBucket& bucket) const;
  // The bucket after `bucket` in its chain; null: none.
  IndexBucket* NextOf(const IndexBucket& bucket) const;
  IndexBucket* LastBucketOf(IndexBucket* first) const;
  // A free place at the end of the chain.
  Result<Place> Extend(IndexBucket* first);
  // The last object of a chain that has one.
  Place LastOf(IndexBucket* first) const;

  Status InsertIntoChain(const IndexedObject& object);
  // Puts it at the end of the chain.
  Status Append(IndexBucket* first, const IndexedObject& object);
  void Put(const Place& place, const IndexedObject& object);
  // Takes what is at the end of the chain out of it.
  void DropLast(IndexBucket* first, const Place& last);
  // Invariant (5) of the index.
  void SetFilter(IndexBucket* first);

  // Splits the next bucket, if the table is crowded and there is memory.
  void Grow();
  void Split(uint32_t number);
  std::vector<IndexedObject> TakeAll(IndexBucket* first);

  Result<IndexBucket*> TakeOverflow();
  // Ensures that the buckets below `count` of those from `first` on have
  // memory; they had it below `*ready`.
  Status Provide(uint32_t first, uint32_t count, uint32_t* ready);

  int fd_;
  Mapping mapping_;
  uint32_t size_ = 0;
  uint32_t grow_at_ = 0;  // No sooner than at this size.
  uint32_t ready_buckets_ = 0;
  uint32_t ready_overflow_ = 0;
  uint32_t used_overflow_ = 0;  // From here on they were never used.
  std::vector<IndexBucket*> free_overflow_;
  // By slot: number of the bucket and in the bucket.  A deque has no empty
  // half.
  std::deque<uint32_t> places_;
  std::vector<const std::atomic<uint32_t>*> split_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_INDEX_INDEX_BUCKETS_H_
