// A client's submission ring: how it seals small objects without a message.
//
// The client leases a slab block (protocol: LeaseSlab), carves objects out of
// it, 64-byte aligned, fills them, and appends one Submission for each.  The
// store looks at every ring, checks each submission against the lease, makes
// the object visible and answers in the submission itself.
//
// One file a client, made by the store (protocol: OpenRing), mapped writable by
// that client and by the store.  The store copies what it reads before it
// checks it and keeps its own count of what it has answered, so a client that
// writes nonsense fools nobody but itself.
//
//   client: fill entries[n % kRingEntries]; submitted = n + 1 (release); full
//           fence; store_sleeps?  write 1 to the bell (an eventfd).
//   store:  copy entry; check; publish; result (release); completed = n + 1
//           (release); full fence; waiters?  FUTEX_WAKE on completed.
//
// The client appends only while submitted - completed < kRingEntries.  It waits
// for its n-th submission on `completed`, a futex shared between processes,
// after it has incremented `waiters`.
//
// Before the store sleeps it sets store_sleeps (sequentially consistent) and
// looks at `submitted` once more.
#ifndef VITRINE_SCHEMA_SUBMISSION_RING_H_
#define VITRINE_SCHEMA_SUBMISSION_RING_H_

#include <vitrine/object_id.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace vitrine {

inline constexpr uint32_t kRingEntries = 1024;  // A power of two.
inline constexpr uint64_t kSlabAlignmentBytes = 64;

// Submission::result: kSubmissionPending while the store has not answered,
// kSubmissionSealed, or kSubmissionFailed | Code.
inline constexpr uint32_t kSubmissionPending = 0;
inline constexpr uint32_t kSubmissionSealed = 1;
inline constexpr uint32_t kSubmissionFailed = 0x100;

struct alignas(64) Submission {
  std::atomic<uint32_t> result;
  uint32_t mode;     // Permission bits; others may read (the store checks).
  uint64_t segment;  // The leased block.
  uint64_t offset;   // In the block; a multiple of kSlabAlignmentBytes.
  uint64_t size_bytes;
  uint8_t id_bytes;
  std::array<char, ObjectId::kMaxBytes> id;
};

struct SubmissionRing {
  alignas(64) std::atomic<uint32_t> submitted;  // Ever; wraps.
  std::atomic<uint32_t> waiters;                // Threads asleep on completed.
  alignas(64) std::atomic<uint32_t> completed;  // Ever; wraps.
  std::atomic<uint32_t> store_sleeps;
  std::array<Submission, kRingEntries> entries;
};

static_assert(sizeof(Submission) == 320);
static_assert(std::atomic<uint32_t>::is_always_lock_free);

}  // namespace vitrine

#endif  // VITRINE_SCHEMA_SUBMISSION_RING_H_
