// A client's submission ring: how it creates and seals objects without a
// message: small ones, whose bytes are in the record, and larger ones, whose
// bytes are in a blank (schema/protocol.fbs).
//
// The client writes whole records with the objects' bytes.  The store reads
// every ring, copies each object into one of the store's slabs, makes it
// visible and answers.  Later changes of the ring change no object.  A record
// whose mode is kSealsBlank has a BlankRecord in the place of the bytes: the
// store seals that blank as the object.
//
// One file for each client, made by the store (protocol: OpenRing), of a size
// that cannot change, mapped writable by that client and by the store.  The
// store copies a record before it checks it, and keeps counts of its own, so a
// client that writes nonsense harms only itself.
//
// A ring begins small.  A client that fills it asks for a larger one, waits
// until the store has answered all records of the former ring, and uses the new
// one from then on.  The number of records goes on; the positions begin anew.
//
// Positions count bytes ever written and are offsets into `bytes` modulo the
// size of the ring, a power of two.  A record starts at a multiple of
// kRecordAlignment and does not wrap: where it would, a record with id_bytes 0
// fills the rest.
//
//   client: write the record; submitted = its end (release); full fence;
//           store_sleeps?  write 1 to the bell (an eventfd).
//   store:  copy the record; check; publish;
//           results[n % kRingResults] = answer (relaxed), for the n-th record
//           that is no filler; answered = n + 1 (release); full fence;
//           waiters?  FUTEX_WAKE on answered.
//
// The client may reuse a record's bytes and its place in `results` once the
// record is answered (acquire) and the client has collected the answer.  At
// most kRingResults records are not collected.  A thread that waits for the
// n-th record increments `waiters` and waits on `answered`, a futex shared
// between processes.
//
// Before the store sleeps it sets store_sleeps (sequentially consistent) and
// looks at `submitted` once more.
#ifndef VITRINE_SCHEMA_SUBMISSION_RING_H_
#define VITRINE_SCHEMA_SUBMISSION_RING_H_

#include <vitrine/metadata.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace vitrine {

inline constexpr uint64_t kRingBytes = 1024 * 1024;     // Of the largest.
inline constexpr uint64_t kLeastRingBytes = 64 * 1024;  // Of the smallest.
inline constexpr uint32_t kRingResults = 4096;          // A power of two.
inline constexpr uint64_t kRecordAlignment = 64;
// An object with more metadata (RecordMetadataBytes) is no small one.
inline constexpr uint16_t kMaxRecordMetadataBytes = 4096;

// No less than what `metadata` takes in a record: names, values, 32 bytes for
// each entry and 32 more; 0 without entries.
uint64_t RecordMetadataBytes(const Metadata& metadata);

// In the place of a mode.
inline constexpr uint32_t kSealsBlank = 1U << 31;
// In BlankRecord::flags.
inline constexpr uint32_t kKeepIfInUse = 1;

// Which blank to seal; its mode is that of the blank.  The client has unmapped
// and closed it.  If it cannot be sealed, it is gone, unless the answer is
// kInUse and the record says kKeepIfInUse.
struct BlankRecord {
  uint64_t number;
  uint64_t size_bytes;  // Of the object; at most the blank's.
  uint32_t flags;
  uint32_t reserved;
};

// An answer: kRecordSealed, or kRecordFailed | Code.
inline constexpr uint32_t kRecordSealed = 1;
inline constexpr uint32_t kRecordFailed = 0x100;

// The id follows it, then the data, then the metadata (0 bytes, or the finished
// buffer of a `MetadataList`, schema/protocol.fbs), then padding up to the
// alignment.
struct RecordHeader {
  uint32_t record_bytes;  // All of it, with padding.
  uint32_t data_bytes;
  uint32_t mode;      // Permission bits, umask applied, others may read; or
                      // kSealsBlank.
  uint16_t id_bytes;  // 0: a filler; only its record_bytes is used.
  uint16_t metadata_bytes;
  int64_t timeout_ms;  // How long to wait for space.  -1: no limit.
};

constexpr uint64_t RecordBytes(uint64_t id_bytes, uint64_t data_bytes,
                               uint64_t metadata_bytes = 0) {
  const uint64_t bytes =
      sizeof(RecordHeader) + id_bytes + data_bytes + metadata_bytes;
  return (bytes + kRecordAlignment - 1) / kRecordAlignment * kRecordAlignment;
}

// As the largest ring is; in a smaller one, `bytes` ends earlier.
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

// The size of a ring's `bytes`.
constexpr bool IsRingSize(uint64_t ring_bytes) {
  return ring_bytes >= kLeastRingBytes && ring_bytes <= kRingBytes &&
         (ring_bytes & (ring_bytes - 1)) == 0;
}
// The size of its file.
constexpr uint64_t RingFileBytes(uint64_t ring_bytes) {
  return sizeof(SubmissionRing) - kRingBytes + ring_bytes;
}

static_assert(sizeof(RecordHeader) == 24);
static_assert(sizeof(BlankRecord) == 24);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

}  // namespace vitrine

#endif  // VITRINE_SCHEMA_SUBMISSION_RING_H_
