// The index: a hash table in shared memory that clients read without a message.
//
// The file is written by the store alone and mapped read-only by clients.
//
//   offset 0                   IndexHeader
//   offset kIndexSizeOffset    IndexSize
//   offset buckets_offset      IndexBucket[bucket_limit]    (256 bytes each)
//                              IndexBucket[overflow_limit]
//
// An object is found by its key, the 128-bit XXH3 of its id with the header's
// seed.  The key leads to a bucket, and all that a get needs lies in the
// bucket's four cache lines, which a reader fetches at once.  Objects that do
// not fit into their bucket lie in overflow buckets, linked from it: a chain.
// The first bucket has a filter (Bloom, 1970) of what lies in the others, so a
// reader goes on to them only for what is there, with rare exceptions.  The
// table grows by linear hashing (Litwin, 1980): one bucket at a time is split.
//
// Each sealed object has a slot, a number of its own.  The slot stays while the
// object moves from bucket to bucket.
//
// Invariants:
//  (1) Only a sealed object has a slot.  If its bytes are not in memory, the
//      state is kElsewhere: it is not gone.
//  (2) Everything in a chain other than `words` changes only while the version
//      of its first bucket is odd; `segment` and `offset` also while the state
//      is kEvicting and no client has the slot pinned (the bytes move).  That
//      version differs after each change.
//  (3) A generation is used once: for a publication, a move of the bytes, or a
//      return.
//  (4) The objects of a chain fill it from its beginning.
//  (5) The filter of the first bucket of a chain is the union of the FilterBits
//      of the objects in the other buckets.
//
// Reader (see ClientPage for pins):
//   1. n = bucket_count; the key's bucket; v = its version (acquire); odd: the
//      store is at work, try again.
//   2. look through the chain (at most all buckets; only the first one, if its
//      filter lacks one of the FilterBits of the key), compare keys, copy.  Not
//      there: if the version or bucket_count has changed, try again.
//   3. pin {slot, generation} in the own page; full fence.
//   4. the word still (generation, kSealed) and the version still v: the pin
//      holds.  Otherwise drop the pin and start again.
// Evictor:
//   1. word = (generation, kEvicting); full fence.
//   2. look at every client's pins; pinned: word = (generation, kSealed).
//   3. not pinned: take it out of the chain; or, if the bytes are kept
//      elsewhere, word = (generation, kElsewhere).
// Return: as in a publication, the version is odd while segment, offset and
// then word = (new generation, kSealed) are written.
// Split, and removal from the middle of a chain: an object moves to another
// place in the table while the versions of its old and its new chain are odd.
// Its pins stay valid, as they name neither.
// A reader that meets kElsewhere sends the store a Want for the object.
// A reader that meets kEvicting waits for the outcome.  Pins are hazard
// pointers (Michael, 2004) across processes.
//
// Waiter, for an id that is not there:
//   1. set the AwaitedBit of its key in the own page (seq_cst); full fence.
//   2. steps 1 and 2 of the reader; found, or busy: no wait.
//   3. sleep on the version of the bucket, a futex, as long as it is v; go
//   to 2.
// Publisher: after the version has changed, full fence; if the bit is set in
// any client's page, wake all threads that sleep on the version.  After a
// split, if any bit is set, wake those that sleep on the version of the split
// bucket: their object may come into the other one. No wake-up is lost, because
// one of the two fences comes first:
//   - The waiter's fence: the publisher reads the bit and wakes.  A waiter that
//     sleeps by then is woken.  A waiter that is not asleep yet does not fall
//     asleep: futex(2) compares the version with v under the lock that the
//     waker takes, and it is not v any more.
//   - The publisher's fence: step 2 sees the new version, hence the object.
// One index serves a store for its whole life, so no waiter has an old one.
//
// Memory order.  The store writes everything in a chain, bucket_count and even
// versions with release.  A reader loads them with acquire (or relaxed, with an
// acquire fence before step 4), so a reader that saw a new value does not see
// the old word or version after it.  The full fences: the store's stores of
// kEvicting, and of the word at a place that an object leaves, and its loads of
// pins and of pins_high_water are seq_cst.  The reader has two ways.
// It makes its stores of pins_high_water and of the pin, and the load of the
// word in step 4, seq_cst (preferred: ThreadSanitizer understands it, and it
// costs what the fence costs).  Or it puts atomic_thread_fence(seq_cst) between
// them.  A pin is dropped with release, after the last use of the bytes.
#ifndef VITRINE_SCHEMA_INDEX_LAYOUT_H_
#define VITRINE_SCHEMA_INDEX_LAYOUT_H_

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vitrine {

inline constexpr uint64_t kIndexMagic = 0x5854'5249'5649'3031;  // "10IVIRTX"
inline constexpr uint32_t kIndexVersion = 4;
inline constexpr uint32_t kNoSlot = UINT32_MAX;

struct IndexKey {
  uint64_t high;
  uint64_t low;
  friend bool operator==(const IndexKey&, const IndexKey&) = default;
};

// The key of `id` in an index with `seed`.
IndexKey MakeIndexKey(std::string_view id, uint64_t seed);

// The number of the first bucket of the chain of `key`; `bucket_count` is not
// 0. While the count is between powers of two, buckets from the lower one on
// were split off.
constexpr uint32_t IndexBucketOf(const IndexKey& key, uint32_t bucket_count) {
  const auto low = static_cast<uint32_t>(key.low);
  const uint32_t mask = std::bit_ceil(bucket_count) - 1;
  const uint32_t bucket = low & mask;
  return bucket < bucket_count ? bucket : bucket & (mask >> 1);
}

// Compared before the key itself.
constexpr uint8_t FingerprintOf(const IndexKey& key) {
  return static_cast<uint8_t>(key.high >> 56);
}

// Two of 32 bits, or one.  If any objects lie beyond a bucket, there are two or
// three as a rule; one in 40 other keys passes the filter then.  The key's bits
// that are used are neither those of the bucket's number nor of the
// fingerprint.
constexpr uint32_t FilterBitsOf(const IndexKey& key) {
  const auto bits = static_cast<uint32_t>(key.low >> 32);
  return uint32_t{1} << (bits % 32) | uint32_t{1} << (bits / 32 % 32);
}
// False: no object with `key` lies beyond the first bucket of its chain, whose
// filter is `filter`.
constexpr bool MayBeBeyond(uint32_t filter, const IndexKey& key) {
  const uint32_t bits = FilterBitsOf(key);
  return (filter & bits) == bits;
}

// Waits are announced by groups of keys.
constexpr uint32_t kKeyGroups = 64;
constexpr uint32_t KeyGroupOf(const IndexKey& key) {
  return static_cast<uint32_t>(key.high % kKeyGroups);
}

enum class SlotState : uint8_t {
  kFree = 0,
  kSealed = 1,
  kEvicting = 2,
  kElsewhere = 3,  // Sealed, but the bytes are not in memory.
};

// A slot's word: generation << 8 | state.
constexpr uint64_t MakeSlotWord(uint64_t generation, SlotState state) {
  return generation << 8 | static_cast<uint64_t>(state);
}
constexpr uint64_t SlotGeneration(uint64_t word) { return word >> 8; }
constexpr SlotState SlotStateOf(uint64_t word) {
  return static_cast<SlotState>(word & 0xff);
}

struct IndexHeader {
  uint64_t magic;
  uint32_t version;
  uint32_t slot_limit;
  uint64_t seed;
  uint64_t buckets_offset;
  uint32_t bucket_limit;
  uint32_t overflow_limit;
};

inline constexpr size_t kIndexSizeOffset = 64;

// Changes while the store runs.
struct alignas(64) IndexSize {
  std::atomic<uint32_t> bucket_count;  // Without overflow buckets; not 0.
};

// Flags: every user may read the object, so a client may open its segment by
// name.  Else the client asks the store for a descriptor.
inline constexpr uint8_t kSlotReadableByAll = 1;
// Flags: the object has metadata; ask the store for it.
inline constexpr uint8_t kSlotHasMetadata = 2;

// slot << 8 | flags.
constexpr uint32_t MakeSlotAndFlags(uint32_t slot, uint8_t flags) {
  return slot << 8 | flags;
}
constexpr uint32_t SlotOf(uint32_t slot_and_flags) {
  return slot_and_flags >> 8;
}
constexpr uint8_t FlagsOf(uint32_t slot_and_flags) {
  return static_cast<uint8_t>(slot_and_flags);
}

struct IndexEntry {
  std::atomic<uint64_t> key_high;
  std::atomic<uint64_t> key_low;
  std::atomic<uint64_t> segment;  // Number of the segment file.
  std::atomic<uint64_t> offset;   // First byte within the segment.
  std::atomic<uint64_t> size_bytes;
  std::atomic<uint64_t> number;  // The object's; never used twice.
};

inline constexpr size_t kEntriesPerBucket = 4;

// Fresh memory is an empty bucket.
struct alignas(64) IndexBucket {
  template <typename T>
  using OfEachEntry = std::array<T, kEntriesPerBucket>;

  std::atomic<uint32_t> version;  // Of the chain that begins here.
  std::atomic<uint32_t> next;     // Overflow bucket; 0: none.
  std::atomic<uint32_t> filter;   // In the first bucket of a chain.
  OfEachEntry<std::atomic<uint8_t>> fingerprints;
  OfEachEntry<std::atomic<uint32_t>> slots_and_flags;
  OfEachEntry<std::atomic<uint64_t>> words;  // kFree: there is no object.
  OfEachEntry<IndexEntry> entries;
};

static_assert(sizeof(IndexHeader) <= kIndexSizeOffset);
static_assert(sizeof(IndexBucket) == 256);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

// Segment files are named by their number: 16 lower-case hex digits.
inline constexpr int kSegmentNameChars = 16;

// Writes the name of segment `number` and a NUL into `name`.
void WriteSegmentName(uint64_t number, char (&name)[kSegmentNameChars + 1]);

}  // namespace vitrine

#endif  // VITRINE_SCHEMA_INDEX_LAYOUT_H_
