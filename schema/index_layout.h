// The index: a hash table in shared memory that clients read without a message.
//
// The file is written by the store alone and mapped read-only by clients.
//
//   offset 0                 IndexHeader
//   offset buckets_offset    IndexBucket[bucket_count]     (power of two)
//   offset slots_offset      IndexSlot[slot_count]         (64 bytes each)
//
// An object is found by its key, the 128-bit XXH3 of its id with the header's
// seed.  A bucket heads a chain of slots; its version is odd while the store
// changes the chain and differs after each change.
//
// Invariants:
//  (1) Only a sealed object has a slot in a chain.  If its bytes are not in
//      memory, the state is kElsewhere: it is not gone.
//  (2) A slot's fields other than `word` and `next` change only while the slot
//      is in no chain and its word's state is kFree; `segment` and `offset`
//      also while the state is kEvicting and no client has the slot pinned (the
//      object moves), or kElsewhere (it returns).
//  (3) A slot's generation grows each time the slot is published, or moved, and
//      when its object returns.
//
// Reader (see ClientPage for pins):
//   1. v = bucket.version (acquire); odd: the store is at work, try again.
//   2. walk the chain (at most slot_count steps), compare keys, copy the slot.
//   3. pin {slot, generation} in the own page; full fence.
//   4. slot.word still (generation, kSealed) and the bucket's version still v:
//      the pin holds.  Otherwise drop the pin and start again.
// Evictor:
//   1. slot.word = (generation, kEvicting); full fence.
//   2. look at every client's pins; pinned: slot.word = (generation, kSealed).
//   3. not pinned: unlink from the chain, slot.word = (generation, kFree); or,
//      if the bytes are kept elsewhere, slot.word = (generation, kElsewhere).
// Return: as in a publication, the bucket's version is odd while segment,
// offset and then slot.word = (generation + 1, kSealed) are written.
// A reader that meets kElsewhere sends the store a Want for the object.
// A reader that meets kEvicting waits for the outcome.  Pins are hazard
// pointers (Michael, 2004) across processes.
//
// Waiter, for an id that is not there:
//   1. set the bucket's AwaitedBit in the own page (seq_cst); full fence.
//   2. steps 1 and 2 of the reader; found, or busy: no wait.
//   3. sleep on the bucket's version, a futex, as long as it is v; go to 2.
// Publisher: after the bucket's version has changed, full fence; if the bit is
// set in any client's page, wake all threads that sleep on the version.
// No wake-up is lost, because one of the two fences comes first:
//   - The waiter's fence: the publisher reads the bit and wakes.  A waiter that
//     sleeps by then is woken.  A waiter that is not asleep yet does not fall
//     asleep: futex(2) compares the version with v under the lock that the
//     waker takes, and it is not v any more.
//   - The publisher's fence: step 2 sees the new version, hence the object.
// One index serves a store for its whole life, so no waiter has an old one.
//
// Memory order.  The store writes `head`, `next` and a slot's fields with
// release.  A reader loads them with acquire (or relaxed, with an acquire fence
// before step 4), so a reader that saw a new value does not see the old word or
// version after it.  The full fences: the store's store of kEvicting and its
// loads of pins and of pins_high_water are seq_cst.  The reader has two ways.
// It makes its stores of pins_high_water and of the pin, and the load of the
// word in step 4, seq_cst (preferred: ThreadSanitizer understands it, and it
// costs what the fence costs).  Or it puts atomic_thread_fence(seq_cst) between
// them.  A pin is dropped with release, after the last use of the bytes.
#ifndef VITRINE_SCHEMA_INDEX_LAYOUT_H_
#define VITRINE_SCHEMA_INDEX_LAYOUT_H_

#include <atomic>
#include <cstdint>
#include <string_view>

namespace vitrine {

inline constexpr uint64_t kIndexMagic = 0x5854'5249'5649'3031;  // "10IVIRTX"
inline constexpr uint32_t kIndexVersion = 2;
inline constexpr uint32_t kNoSlot = UINT32_MAX;

struct IndexKey {
  uint64_t high;
  uint64_t low;
  friend bool operator==(const IndexKey&, const IndexKey&) = default;
};

// The key of `id` in an index with `seed`.
IndexKey MakeIndexKey(std::string_view id, uint64_t seed);

// The number of the bucket that heads the chain of `key`; `bucket_count` is a
// power of two.
constexpr uint32_t IndexBucketOf(const IndexKey& key, uint32_t bucket_count) {
  return static_cast<uint32_t>(key.low) & (bucket_count - 1);
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
  uint32_t bucket_count;
  uint32_t slot_count;
  uint32_t reserved;
  uint64_t seed;
  uint64_t buckets_offset;
  uint64_t slots_offset;
};

struct IndexBucket {
  std::atomic<uint32_t> version;
  std::atomic<uint32_t> head;  // Slot number or kNoSlot.
};

// Set in IndexSlot::flags: every user may read the object, so a client may open
// its segment by name.  Else the client asks the store for a descriptor.
inline constexpr uint32_t kSlotReadableByAll = 1;
// Set in IndexSlot::flags: the object has metadata; ask the store for it.
inline constexpr uint32_t kSlotHasMetadata = 2;

struct alignas(64) IndexSlot {
  std::atomic<uint64_t> word;
  std::atomic<uint64_t> key_high;
  std::atomic<uint64_t> key_low;
  std::atomic<uint64_t> segment;  // Number of the segment file.
  std::atomic<uint64_t> offset;   // First byte within the segment.
  std::atomic<uint64_t> size_bytes;
  std::atomic<uint32_t> next;
  std::atomic<uint32_t> flags;
  std::atomic<uint64_t> number;  // The object's; never used twice.
};

static_assert(sizeof(IndexBucket) == 8);
static_assert(sizeof(IndexSlot) == 64);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

// Segment files are named by their number: 16 lower-case hex digits.
inline constexpr int kSegmentNameChars = 16;

// Writes the name of segment `number` and a NUL into `name`.
void WriteSegmentName(uint64_t number, char (&name)[kSegmentNameChars + 1]);

}  // namespace vitrine

#endif  // VITRINE_SCHEMA_INDEX_LAYOUT_H_
