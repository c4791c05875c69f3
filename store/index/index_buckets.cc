#include "store/index/index_buckets.h"

#include <fcntl.h>
#include <sys/random.h>

#include <bit>
#include <cassert>
#include <cerrno>
#include <new>
#include <utility>

namespace vitrine::store {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kRelease = std::memory_order_release;

constexpr uint64_t kChunkBytes = 2 * 1024 * 1024;
constexpr uint32_t kBucketsPerChunk = kChunkBytes / sizeof(IndexBucket);
constexpr uint32_t kFirstBuckets = kBucketsPerChunk;
constexpr uint32_t kBucketLimit = uint32_t{1} << 23;
constexpr uint32_t kOverflowLimit = uint32_t{1} << 21;
constexpr uint64_t kBucketsOffset = kChunkBytes;
constexpr uint64_t kFileBytes =
    kBucketsOffset +
    (uint64_t{kBucketLimit} + kOverflowLimit) * sizeof(IndexBucket);

// The table grows beyond so many objects for each bucket.  An object takes some
// 100 bytes then, and one in ten lies in an overflow bucket, which costs its
// reader a second miss.  A look-up of what is absent waits for one miss; one in
// 100 waits for a second.
constexpr uint64_t kCrowd = 3;

// A write through a mapping raises SIGBUS if there is no memory, so all of it
// is allocated before.
Status Allocate(int fd, uint64_t offset, uint64_t size_bytes) {
  while (::fallocate(fd, 0, static_cast<off_t>(offset),
                     static_cast<off_t>(size_bytes)) != 0) {
    if (errno != EINTR) return ErrnoError("take memory for the index", errno);
  }
  return Status();
}

Result<uint64_t> RandomSeed() {
  uint64_t seed;
  ssize_t got;
  do {
    got = ::getrandom(&seed, sizeof(seed), 0);
  } while (got < 0 && errno == EINTR);
  if (got == sizeof(seed)) return seed;
  return ErrnoError("getrandom", errno);
}

IndexedObject Copy(const IndexBuckets::Place& place) {
  const IndexEntry& entry = place.entry();
  const uint32_t slot_and_flags = place.slot_and_flags();
  return {.key = place.key(),
          .word = place.word().load(kRelaxed),
          .segment = entry.segment.load(kRelaxed),
          .offset = entry.offset.load(kRelaxed),
          .size_bytes = entry.size_bytes.load(kRelaxed),
          .number = entry.number.load(kRelaxed),
          .slot = SlotOf(slot_and_flags),
          .flags = FlagsOf(slot_and_flags)};
}

// Sequentially consistent, so that a reader that pinned after the evictor's
// look at the pins finds that the object is not at this place.
void Clear(const IndexBuckets::Place& place) {
  place.word().store(0, std::memory_order_seq_cst);
}

bool IsFree(const IndexBuckets::Place& place) {
  return SlotStateOf(place.word().load(kRelaxed)) == SlotState::kFree;
}

}  // namespace

uint32_t IndexBuckets::Place::slot_and_flags() const {
  return bucket->slots_and_flags[number].load(kRelaxed);
}

IndexKey IndexBuckets::Place::key() const {
  return {entry().key_high.load(kRelaxed), entry().key_low.load(kRelaxed)};
}

Result<IndexBuckets> IndexBuckets::Create(int fd) {
  if (::ftruncate(fd, static_cast<off_t>(kFileBytes)) != 0) {
    return ErrnoError("set the size of the index", errno);
  }
  if (Status ok = Allocate(fd, 0, kIndexSizeOffset + sizeof(IndexSize)); !ok) {
    return ok.error();
  }
  Result<uint64_t> seed = RandomSeed();
  if (!seed) return seed.error();
  auto mapping = Mapping::Map(fd, kFileBytes, PROT_READ | PROT_WRITE);
  if (!mapping) return mapping.error();
  new (mapping->data())
      IndexHeader{kIndexMagic,    kIndexVersion, kSlotLimit,    *seed,
                  kBucketsOffset, kBucketLimit,  kOverflowLimit};
  new (mapping->data() + kIndexSizeOffset) IndexSize{kFirstBuckets};
  IndexBuckets buckets(fd, std::move(*mapping));
  Status ok = buckets.Provide(0, kFirstBuckets, &buckets.ready_buckets_);
  if (!ok) return ok.error();
  return buckets;
}

IndexBuckets::IndexBuckets(int fd, Mapping mapping)
    : fd_(fd), mapping_(std::move(mapping)) {}

IndexBucket& IndexBuckets::BucketAt(uint32_t number) const {
  return reinterpret_cast<IndexBucket*>(mapping_.data() +
                                        kBucketsOffset)[number];
}

uint32_t IndexBuckets::NumberOf(const IndexBucket& bucket) const {
  return static_cast<uint32_t>(&bucket - &BucketAt(0));
}

std::atomic<uint32_t>& IndexBuckets::count() const {
  return reinterpret_cast<IndexSize*>(mapping_.data() + kIndexSizeOffset)
      ->bucket_count;
}

uint32_t IndexBuckets::bucket_count() const { return count().load(kRelaxed); }

IndexBucket& IndexBuckets::FirstOf(const IndexKey& key) const {
  return BucketAt(IndexBucketOf(key, bucket_count()));
}

IndexBucket* IndexBuckets::NextOf(const IndexBucket& bucket) const {
  const uint32_t next = bucket.next.load(kRelaxed);
  return next == 0 ? nullptr : &BucketAt(next);
}

IndexBuckets::Place IndexBuckets::PlaceOf(uint32_t slot) const {
  const uint32_t place = places_[slot];
  return {&BucketAt(place / kEntriesPerBucket), place % kEntriesPerBucket};
}

uint32_t IndexBuckets::Find(const IndexKey& key) const {
  const uint8_t fingerprint = FingerprintOf(key);
  IndexBucket& first = FirstOf(key);
  for (IndexBucket* bucket = &first; bucket != nullptr;
       bucket = NextOf(*bucket)) {
    for (size_t i = 0; i < kEntriesPerBucket; ++i) {
      const Place place{bucket, i};
      if (IsFree(place)) return kNoSlot;  // Invariant (4) of the index.
      if (bucket->fingerprints[i].load(kRelaxed) == fingerprint &&
          place.key() == key) {
        return place.slot();
      }
    }
    if (!MayBeBeyond(first.filter.load(kRelaxed), key)) return kNoSlot;
  }
  return kNoSlot;
}

Status IndexBuckets::Insert(const IndexedObject& object) {
  if (object.slot >= kSlotLimit) {
    return Error{Code::kOutOfMemory, "the index is full"};
  }
  if (places_.size() <= object.slot) places_.resize(object.slot + 1, kNoPlace);
  if (Status ok = InsertIntoChain(object); !ok) return ok;
  ++size_;
  Grow();
  return {};
}

Status IndexBuckets::InsertIntoChain(const IndexedObject& object) {
  IndexBucket& first = FirstOf(object.key);
  const ChainChange change(&first);
  return Append(&first, object);
}

Status IndexBuckets::Append(IndexBucket* first, const IndexedObject& object) {
  auto place = Extend(first);
  if (!place) return place.error();
  if (place->bucket != first) {
    first->filter.store(first->filter.load(kRelaxed) | FilterBitsOf(object.key),
                        kRelease);
  }
  Put(*place, object);
  return {};
}

IndexBucket* IndexBuckets::LastBucketOf(IndexBucket* first) const {
  IndexBucket* last = first;
  while (IndexBucket* const next = NextOf(*last)) last = next;
  return last;
}

Result<IndexBuckets::Place> IndexBuckets::Extend(IndexBucket* first) {
  IndexBucket* const last = LastBucketOf(first);
  for (size_t i = 0; i < kEntriesPerBucket; ++i) {
    if (IsFree({last, i})) return Place{last, i};
  }
  auto added = TakeOverflow();
  if (!added) return added.error();
  last->next.store(NumberOf(**added), kRelease);
  return Place{*added, 0};
}

void IndexBuckets::Put(const Place& place, const IndexedObject& object) {
  IndexEntry& entry = place.entry();
  entry.key_high.store(object.key.high, kRelease);
  entry.key_low.store(object.key.low, kRelease);
  entry.segment.store(object.segment, kRelease);
  entry.offset.store(object.offset, kRelease);
  entry.size_bytes.store(object.size_bytes, kRelease);
  entry.number.store(object.number, kRelease);
  IndexBucket& bucket = *place.bucket;
  bucket.fingerprints[place.number].store(FingerprintOf(object.key), kRelease);
  bucket.slots_and_flags[place.number].store(
      MakeSlotAndFlags(object.slot, object.flags), kRelease);
  place.word().store(object.word, kRelease);
  places_[object.slot] = static_cast<uint32_t>(
      NumberOf(bucket) * kEntriesPerBucket + place.number);
}

void IndexBuckets::Erase(uint32_t slot) {
  const Place gone = PlaceOf(slot);
  IndexBucket& first = FirstOf(gone.key());
  const Place last = LastOf(&first);
  const ChainChange change(&first);
  Clear(gone);
  if (last.slot() != slot) Put(gone, Copy(last));
  DropLast(&first, last);
  if (last.bucket != &first) SetFilter(&first);
  places_[slot] = kNoPlace;
  --size_;
}

IndexBuckets::Place IndexBuckets::LastOf(IndexBucket* first) const {
  IndexBucket* const bucket = LastBucketOf(first);
  size_t used = kEntriesPerBucket;
  while (IsFree({bucket, used - 1})) --used;
  return {bucket, used - 1};
}

void IndexBuckets::DropLast(IndexBucket* first, const Place& last) {
  Clear(last);
  if (last.number > 0 || last.bucket == first) return;
  IndexBucket* before = first;
  while (NextOf(*before) != last.bucket) before = NextOf(*before);
  before->next.store(0, kRelease);
  free_overflow_.push_back(last.bucket);
}

void IndexBuckets::SetFilter(IndexBucket* first) {
  uint32_t filter = 0;
  for (IndexBucket* bucket = NextOf(*first); bucket != nullptr;
       bucket = NextOf(*bucket)) {
    for (size_t i = 0; i < kEntriesPerBucket && !IsFree({bucket, i}); ++i) {
      filter |= FilterBitsOf(Place{bucket, i}.key());
    }
  }
  first->filter.store(filter, kRelease);
}

void IndexBuckets::Grow() {
  const uint32_t count = bucket_count();
  const bool crowded = size_ > count * kCrowd;
  if (!crowded || size_ < grow_at_ || count == kBucketLimit) return;
  if (Provide(0, count + 1, &ready_buckets_)) {
    Split(count - std::bit_floor(count));
  } else {
    // Without memory the chains grow instead.  To ask for it takes long.
    grow_at_ = size_ + kBucketsPerChunk / 4;
  }
}

// The objects need no more overflow buckets than they had: they have one bucket
// more now, and ceil(a / 4) + ceil(b / 4) <= ceil((a + b) / 4) + 1.
void IndexBuckets::Split(uint32_t number) {
  const uint32_t number_of_added = bucket_count();
  IndexBucket& old = BucketAt(number);
  IndexBucket& added = BucketAt(number_of_added);
  const ChainChange old_change(&old);
  const ChainChange added_change(&added);
  const std::vector<IndexedObject> objects = TakeAll(&old);
  count().store(number_of_added + 1, kRelease);
  for (const IndexedObject& object : objects) {
    const Status appended = Append(&FirstOf(object.key), object);
    assert(appended);
    (void)appended;
  }
  split_.push_back(&old.version);
}

std::vector<IndexedObject> IndexBuckets::TakeAll(IndexBucket* first) {
  std::vector<IndexedObject> objects;
  for (IndexBucket* bucket = first; bucket != nullptr;
       bucket = NextOf(*bucket)) {
    for (size_t i = 0; i < kEntriesPerBucket && !IsFree({bucket, i}); ++i) {
      objects.push_back(Copy({bucket, i}));
      Clear({bucket, i});
    }
    if (bucket != first) free_overflow_.push_back(bucket);
  }
  first->filter.store(0, kRelease);
  while (IndexBucket* const next = NextOf(*first)) {
    first->next.store(0, kRelease);
    first = next;
  }
  return objects;
}

Result<IndexBucket*> IndexBuckets::TakeOverflow() {
  if (!free_overflow_.empty()) {
    IndexBucket* const bucket = free_overflow_.back();
    free_overflow_.pop_back();
    return bucket;
  }
  if (used_overflow_ == kOverflowLimit) {
    return Error{Code::kOutOfMemory, "the index is full"};
  }
  Status ok = Provide(kBucketLimit, used_overflow_ + 1, &ready_overflow_);
  if (!ok) return ok.error();
  return &BucketAt(kBucketLimit + used_overflow_++);
}

Status IndexBuckets::Provide(uint32_t first, uint32_t count, uint32_t* ready) {
  if (count <= *ready) return {};
  const uint64_t offset =
      kBucketsOffset + (uint64_t{first} + *ready) * sizeof(IndexBucket);
  if (Status ok = Allocate(fd_, offset, kChunkBytes); !ok) return ok;
  *ready += kBucketsPerChunk;
  return {};
}

}  // namespace vitrine::store
