// A client's submission ring: how it creates and seals small objects without a
// message.
//
// The client writes whole records, bytes and all; the store looks at every
// ring, copies each object into a slab of its own, makes it visible and
// answers.  What a client does to its ring afterwards changes no object.
//
// One file a client, made by the store (protocol: OpenRing), of a size that
// cannot change, mapped writable by that client and by the store.  The store
// copies what it reads before it checks it and keeps its own counts, so a
// client that writes nonsense fools nobody but itself.
//
// Positions count bytes ever written and are offsets into `bytes` modulo
// kRingBytes.  A record starts at a multiple of kRecordAlignment and does not
// wrap: where it would, a record with id_bytes 0 fills the rest.
//
//   client: write the record; submitted = its end (release); full fence;
//           store_sleeps?  write 1 to the bell (an eventfd).
//   store:  copy the record; check; publish;
//           results[n % kRingResults] = answer (relaxed), for the n-th record
//           that is no filler; answered = n + 1 (release); full fence;
//           waiters?  FUTEX_WAKE on answered.
//
// A record's bytes and its place in `results` are the client's again once it
// is answered (acquire) and the answer was collected; at most kRingResults
// records are without that.  Whoever waits for the n-th record waits on
// `answered`, a futex shared between processes, after incrementing `waiters`.
//
// Before the store sleeps it sets store_sleeps (sequentially consistent) and
// looks at `submitted` once more.
#ifndef VITRINE_SCHEMA_SUBMISSION_RING_H_
#define VITRINE_SCHEMA_SUBMISSION_RING_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace vitrine {

inline constexpr uint64_t kRingBytes = 1024 * 1024;  // A power of two.
inline constexpr uint32_t kRingResults = 4096;       // A power of two.
inline constexpr uint64_t kRecordAlignment = 64;

// An answer: kRecordSealed, or kRecordFailed | Code.
inline constexpr uint32_t kRecordSealed = 1;
inline constexpr uint32_t kRecordFailed = 0x100;

// Behind it: the id, then the data, then nothing up to the alignment.
struct RecordHeader {
  uint32_t record_bytes;  // All of it, with padding.
  uint32_t data_bytes;
  uint32_t mode;       // Permission bits, umask applied; others may read.
  uint32_t id_bytes;   // 0: a filler, of which only record_bytes counts.
  int64_t timeout_ms;  // How long to wait for space.  -1: no limit.
};

constexpr uint64_t RecordBytes(uint64_t id_bytes, uint64_t data_bytes) {
  const uint64_t bytes = sizeof(RecordHeader) + id_bytes + data_bytes;
  return (bytes + kRecordAlignment - 1) / kRecordAlignment * kRecordAlignment;
}

struct SubmissionRing {
  // Written by the client.
  alignas(64) std::atomic<uint64_t> submitted;
  std::atomic<uint32_t> waiters;  // Threads asleep on `answered`.
  // Written by the store.
  alignas(64) std::atomic<uint32_t> answered;  // Records; wraps.
  std::atomic<uint32_t> store_sleeps;
  alignas(64) std::array<std::atomic<uint32_t>, kRingResults> results;
  alignas(64) std::array<std::byte, kRingBytes> bytes;
};

static_assert(sizeof(RecordHeader) == 24);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

}  // namespace vitrine

#endif  // VITRINE_SCHEMA_SUBMISSION_RING_H_
