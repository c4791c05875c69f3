// The client's side of its submission ring (schema/submission_ring.h): puts of
// small objects, waited for or pipelined, without a message.
//
//   appended --the store--> answered --Collect--> collected
//                    (the ring ends: all records that are left fail)
//
// Invariants:
//  (1) Records are collected in the order in which they were appended, each
//      exactly once.  A record's answer goes to the put that waits for it.  The
//      failure of a pipelined record goes to the PutFailures.
//  (2) The bytes and the place in `results` of a record that is not collected
//      are not written again.
//  (3) Of the ring's memory, only `answered`, `results` and the ids of
//      pipelined records are read, and each value is checked, because the store
//      could have written it.  A value that makes no sense ends the ring.
//  (4) The store answers in the order of the ring, so a record waits as long as
//      those before it may.  Hence no record is appended behind one that may
//      wait longer for space.
//  (5) A forked child touches neither the ring (it is not even mapped there)
//      nor the bell.
//  (6) A larger ring takes the place of one whose records are all collected.
//      The former ones stay mapped: threads may still look at them.
#ifndef VITRINE_CLIENT_RING_RING_WRITER_H_
#define VITRINE_CLIENT_RING_RING_WRITER_H_

#include <vitrine/object_id.h>
#include <vitrine/result.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "client/base/deadline.h"
#include "client/base/fork.h"
#include "client/ring/put_failures.h"
#include "schema/base/mapping.h"
#include "schema/base/mutex.h"
#include "schema/submission_ring.h"

namespace vitrine {

// An object for the ring.
struct SmallPut {
  const ObjectId& id;
  std::span<const std::byte> data;  // At most RingWriter::kMaxDataBytes.
  unsigned mode;                    // Umask applied; others may read.
  int64_t timeout_ms;               // To wait for space in the store.
  // Packed (PackMetadataList); at most kMaxRecordMetadataBytes.
  std::span<const uint8_t> metadata = {};
};

// A blank that becomes an object.
struct SealedBlank {
  const ObjectId& id;
  uint64_t number;
  uint64_t size_bytes;
  bool keep_if_in_use;  // It may be sealed later if somebody has it open.
  std::span<const uint8_t> metadata = {};  // As in SmallPut.
};

// Owns the mapped rings and their bells.  Thread-safe.  The PutFailures must
// outlive it.
class RingWriter {
 public:
  // A record and the filler before it never need more than the whole ring.
  static constexpr uint64_t kMaxDataBytes =
      kRingBytes / 2 - sizeof(RecordHeader) - ObjectId::kMaxBytes -
      kMaxRecordMetadataBytes - kRecordAlignment;

  // What the store gives for a ring.
  struct Ends {
    PrivateFd ring;
    PrivateFd bell;
  };
  // Asks the store for a larger ring: of `bytes`, after `first_record` records.
  using Grow =
      std::function<Result<Ends>(uint32_t bytes, uint32_t first_record)>;

  // Maps the ring.  kCorruption: `ring` is no ring, or `bell` no eventfd.
  // A wait for an answer spins for at least `spin` before it sleeps.
  // `on_nonsense` is called, on any thread, when the store's answers make no
  // sense; it must not wait.  Without `grow` the ring keeps its size.
  static Result<std::unique_ptr<RingWriter>> Open(
      Ends ends, PutFailures* failures, std::function<void()> on_nonsense,
      std::chrono::nanoseconds spin = {}, Grow grow = {});

  RingWriter(const RingWriter&) = delete;
  RingWriter& operator=(const RingWriter&) = delete;
  ~RingWriter();

  // Put and PutLater return kWouldWaitTooLong, and have done nothing, if
  // invariant (4) forbids the put, or if it is too large for a ring that cannot
  // grow.  Then it has to go by message.
  static constexpr Code kWouldWaitTooLong = Code::kUnsupported;

  // Returns when the store has answered.  kDisconnected: the ring ended first;
  // then the object may be sealed or not.
  Status Put(const SmallPut& put) EXCLUDES(mutex_);
  // Returns when the record is in the ring; waits for room.
  Status PutLater(const SmallPut& put) EXCLUDES(mutex_);
  // The same for a blank.  A seal waits for no space, so it is not to wait
  // behind puts that may: kWouldWaitTooLong.
  Status Seal(const SealedBlank& blank) EXCLUDES(mutex_);
  Status SealLater(const SealedBlank& blank) EXCLUDES(mutex_);
  // Returns when all that was appended before is collected.  kTimeout.
  Status Flush(Deadline deadline) EXCLUDES(mutex_);

  // The session ended: puts that are not answered fail with kDisconnected, as
  // does every later call.  Does nothing in a forked child.
  void End(const std::string& why) EXCLUDES(mutex_);

 private:
  // A put that waits for its answer.  Written with the mutex held until it is
  // collected.
  struct Waiter {
    std::optional<uint32_t> answer;  // Empty: the ring ended.
  };
  // A record that is appended and not collected.  Private to this process, so
  // the store cannot change it.
  struct Record {
    uint64_t position;
    uint64_t end;
    uint32_t id_bytes;
    Waiter* waiter;  // Null: it is pipelined.
  };

  struct Ring {
    Mapping mapping;
    PrivateFd bell;
    uint64_t bytes;

    SubmissionRing& shared() const {
      return *reinterpret_cast<SubmissionRing*>(mapping.data());
    }
  };
  // A record in the ring; `count`: its number plus one.
  struct Appended {
    uint64_t count;
    const Ring* ring;
  };

  RingWriter(std::unique_ptr<Ring> ring, PutFailures* failures,
             std::function<void()> on_nonsense, std::chrono::nanoseconds spin,
             Grow grow);
  static Result<std::unique_ptr<Ring>> MapNew(Ends ends, uint32_t first_record);

  // Appends it and returns its number plus one.
  Result<uint64_t> Append(const SmallPut& put, Waiter* waiter)
      EXCLUDES(mutex_, turn_);
  Result<uint64_t> AppendInTurn(const SmallPut& put, Waiter* waiter)
      EXCLUDES(mutex_, turn_);
  // Appends it if it can be done at once; empty: there is no room.
  Result<std::optional<Appended>> TryAppend(const SmallPut& put, Waiter* waiter)
      REQUIRES(mutex_);
  // Waits until the ring is larger, or has more room.
  Status AwaitRoom(uint64_t record_bytes) REQUIRES(turn_) EXCLUDES(mutex_);
  // The size of the ring to ask for; 0: it is as large as it may be.
  uint64_t NextSize(uint64_t record_bytes) const REQUIRES(turn_)
      EXCLUDES(mutex_);
  // False: the store gives no larger ring now.
  Result<bool> TryGrow(uint64_t bytes) REQUIRES(turn_) EXCLUDES(mutex_);
  bool WouldWaitTooLong(const SmallPut& put) REQUIRES(mutex_);
  // A record and the filler before it never need more than the whole ring.
  bool Fits(uint64_t record_bytes) const REQUIRES(mutex_) {
    return record_bytes <= ring_->bytes / 2;
  }
  bool HasRoom(uint64_t record_bytes) const REQUIRES(mutex_);
  bool MakeRoom(uint64_t record_bytes) REQUIRES(mutex_);
  uint64_t Write(const SmallPut& put, uint64_t record_bytes, Waiter* waiter)
      REQUIRES(mutex_);
  void WriteFiller(uint64_t bytes) REQUIRES(mutex_);
  // Wakes the store, if it sleeps, for the record and those before it.
  void RingBell(const Appended& appended);

  // Takes all answers that have come.
  void Collect() REQUIRES(mutex_);
  bool CollectOne() REQUIRES(mutex_);
  void Finish(const Error& error) REQUIRES(mutex_);
  void FinishAsNonsense() REQUIRES(mutex_);
  std::optional<ObjectId> IdOf(const Record& record) const REQUIRES(mutex_);

  // Waits until `count` records were collected, ever, or the ring ended.
  // kTimeout.
  Status AwaitCollected(uint64_t count, Deadline deadline) EXCLUDES(mutex_);
  // How many records of the ring were answered when somebody looked.
  struct Seen {
    const Ring* ring;
    uint32_t answered;
  };
  // Waits until more are answered, or for a while.
  void AwaitAnswer(const Seen& seen, Deadline deadline);
  bool SpinForAnswer(const Seen& seen);
  void SleepForAnswer(const Seen& seen, Deadline deadline);
  bool IsAnswered(const Seen& seen) const;

  PutFailures* const failures_;
  const std::chrono::nanoseconds shortest_spin_;
  const std::function<void()> on_nonsense_;
  const Grow grow_;
  const uint64_t fork_generation_;

  std::atomic<bool> is_over_{false};
  std::atomic<uint64_t> rung_for_{0};  // The `count` of the last ring.
  std::atomic<uint32_t> waits_{0};
  std::atomic<uint32_t> spin_ns_;  // How long a wait spins before it sleeps.

  // Held by the put that waits for room, so that small records of others do not
  // take the room away from a large one for ever.
  // The same put asks the store for a larger ring.
  Mutex turn_ ACQUIRED_BEFORE(mutex_);
  Deadline no_growth_before_ GUARDED_BY(turn_) = {};  // The store refused it.

  mutable Mutex mutex_;
  std::vector<std::unique_ptr<Ring>> rings_ GUARDED_BY(mutex_);
  const Ring* ring_ GUARDED_BY(mutex_);      // The last of them.
  bool crowded_ GUARDED_BY(mutex_) = false;  // A put waits for room.
  std::optional<Error> over_ GUARDED_BY(mutex_);
  uint64_t submitted_ GUARDED_BY(mutex_) = 0;  // Bytes, fillers and all.
  uint64_t reusable_ GUARDED_BY(mutex_) = 0;   // Bytes that were collected.
  uint64_t appended_ GUARDED_BY(mutex_) = 0;   // Records.
  uint64_t collected_ GUARDED_BY(mutex_) = 0;  // Records.
  // The longest timeout of the records that are not collected.
  int64_t longest_timeout_ms_ GUARDED_BY(mutex_) = 0;
  std::array<Record, kRingResults> records_ GUARDED_BY(mutex_);
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_RING_RING_WRITER_H_
