#include "client/ring/ring_writer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

#include "client/calls/connection.h"

namespace vitrine {
namespace {

Error CorruptRing(const char* what) { return Error{Code::kCorruption, what}; }

// A shorter file would mean SIGBUS later.
Status CheckRing(int fd) {
  struct stat info = {};
  if (::fstat(fd, &info) != 0) return ErrnoError("fstat the ring", errno);
  if (!S_ISREG(info.st_mode) ||
      info.st_size < static_cast<off_t>(sizeof(SubmissionRing))) {
    return CorruptRing("the submission ring is no file, or too short");
  }
  return {};
}

// A write to the bell must neither block nor raise SIGPIPE.
Status CheckBell(int fd) {
  struct stat info = {};
  if (::fstat(fd, &info) != 0) return ErrnoError("fstat the bell", errno);
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return ErrnoError("fcntl the bell", errno);
  if (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode) ||
      (flags & O_NONBLOCK) == 0) {
    return CorruptRing("the bell of the submission ring is none");
  }
  return {};
}

Result<Mapping> MapRing(int fd) {
  const ForkDelay delay;  // A child must not write in its parent's name.
  auto mapping =
      Mapping::Map(fd, sizeof(SubmissionRing), PROT_READ | PROT_WRITE);
  if (!mapping) return mapping;
  if (::madvise(mapping->data(), mapping->size_bytes(), MADV_DONTFORK) != 0) {
    return ErrnoError("madvise", errno);
  }
  return mapping;
}

uint64_t RecordBytesOf(const SmallPut& put) {
  return RecordBytes(put.id.text().size(), put.data.size(),
                     put.metadata.size());
}

// Copies `part` to `*place`, and moves that behind it.
template <typename T, size_t kSize>
void AppendTo(std::byte** place, std::span<T, kSize> part) {
  if (!part.empty()) std::memcpy(*place, part.data(), part.size_bytes());
  *place += part.size_bytes();
}

Error WouldWait() {
  return Error{RingWriter::kWouldWaitTooLong,
               "records before it may wait for longer than it may"};
}

BlankRecord RecordOf(const SealedBlank& blank) {
  return {.number = blank.number,
          .size_bytes = blank.size_bytes,
          .flags = blank.keep_if_in_use ? kKeepIfInUse : 0,
          .reserved = 0};
}

SmallPut PutOf(const SealedBlank& blank, const BlankRecord& record) {
  return {blank.id, std::as_bytes(std::span(&record, 1)), kSealsBlank,
          /*timeout_ms=*/0, blank.metadata};
}

// Makes "no limit" the greatest value.
int64_t Comparable(int64_t timeout_ms) {
  return timeout_ms < 0 ? std::numeric_limits<int64_t>::max() : timeout_ms;
}

bool IsFailure(uint32_t answer) { return (answer & ~0xffU) == kRecordFailed; }

bool MakesSense(uint32_t answer) {
  return answer == kRecordSealed || IsFailure(answer);
}

// Converts a valid answer about `id`.
Status ToStatus(uint32_t answer, const ObjectId& id) {
  if (answer == kRecordSealed) return {};
  const Code code = ToCode(static_cast<uint8_t>(answer & 0xff));
  const std::string name = "`" + id.text() + "`";
  switch (code) {
    case Code::kAlreadyExists:
      return Error{code, name + " is taken"};
    case Code::kOutOfMemory:
      return Error{code, "there was no room for " + name + " in time"};
    case Code::kOverQuota:
      return Error{code, "the user or the group must not have " + name +
                             ", too: see `vitrine quota`"};
    case Code::kCorruption:
      return Error{code, "the store says nonsense about " + name};
    case Code::kInUse:
      return Error{code, "somebody has " + name + " open for writing"};
    default:
      return Error{code, "the store refused " + name};
  }
}

}  // namespace

Result<std::unique_ptr<RingWriter>> RingWriter::Open(
    const PrivateFd& ring, PrivateFd bell, PutFailures* failures,
    std::function<void()> on_nonsense, std::chrono::nanoseconds spin) {
  auto sound = CheckRing(ring.get());
  if (!sound) return sound.error();
  sound = CheckBell(bell.get());
  if (!sound) return sound.error();
  auto mapping = MapRing(ring.get());
  if (!mapping) return mapping.error();
  const auto* fresh = reinterpret_cast<SubmissionRing*>(mapping->data());
  if (fresh->submitted.load() != 0 || fresh->answered.load() != 0) {
    return CorruptRing("the submission ring is not a new one");
  }
  return std::unique_ptr<RingWriter>(
      new RingWriter(std::move(*mapping), std::move(bell), failures,
                     std::move(on_nonsense), spin));
}

RingWriter::~RingWriter() {
  // A child does not inherit the mapping; its addresses may be in other use.
  if (fork_generation_ != ForkGeneration()) (void)mapping_.release();
}

Status RingWriter::Put(const SmallPut& put) {
  Waiter waiter;
  auto end = Append(put, &waiter);
  if (!end) return end.error();
  auto awaited = AwaitCollected(*end, kNoDeadline);
  MutexLock lock(mutex_);
  if (waiter.answer.has_value()) return ToStatus(*waiter.answer, put.id);
  return over_.has_value() ? Status(*over_) : awaited;
}

Status RingWriter::PutLater(const SmallPut& put) {
  auto end = Append(put, nullptr);
  if (!end) return end.error();
  return {};
}

Status RingWriter::Seal(const SealedBlank& blank) {
  const BlankRecord record = RecordOf(blank);
  return Put(PutOf(blank, record));
}

Status RingWriter::SealLater(const SealedBlank& blank) {
  const BlankRecord record = RecordOf(blank);
  return PutLater(PutOf(blank, record));
}

Status RingWriter::Flush(Deadline deadline) {
  uint64_t count = 0;
  {
    MutexLock lock(mutex_);
    count = appended_;
  }
  return AwaitCollected(count, deadline);
}

void RingWriter::End(const std::string& why) {
  // A thread of the parent may have held the lock at the fork.
  if (fork_generation_ != ForkGeneration()) return;
  MutexLock lock(mutex_);
  if (over_.has_value()) return;
  Collect();
  if (!over_.has_value()) Finish(Error{Code::kDisconnected, why});
}

// --- appending ---

Result<uint64_t> RingWriter::Append(const SmallPut& put, Waiter* waiter) {
  if (put.data.size() > kMaxDataBytes ||
      put.metadata.size() > kMaxRecordMetadataBytes) {
    return Error{Code::kInvalidArgument, "too large for the submission ring"};
  }
  const uint64_t bytes = RecordBytesOf(put);
  uint64_t end = 0;
  {
    MutexLock lock(mutex_);
    const bool room = !crowded_ && MakeRoom(bytes);
    const bool would_wait = !over_.has_value() && WouldWaitTooLong(put);
    if (over_.has_value()) return *over_;
    if (would_wait) return WouldWait();
    if (room) end = Write(put, bytes, waiter);
  }
  if (end == 0) return AppendInTurn(put, waiter);
  RingBell(end);
  return end;
}

Result<uint64_t> RingWriter::AppendInTurn(const SmallPut& put, Waiter* waiter) {
  const uint64_t bytes = RecordBytesOf(put);
  MutexLock turn(turn_);
  while (true) {
    uint64_t count = 0;
    {
      MutexLock lock(mutex_);
      const bool room = MakeRoom(bytes);
      const bool would_wait = !over_.has_value() && WouldWaitTooLong(put);
      crowded_ = !room && !would_wait && !over_.has_value();
      if (over_.has_value()) return *over_;
      if (would_wait) return WouldWait();
      if (room) {
        const uint64_t end = Write(put, bytes, waiter);
        RingBell(end);
        return end;
      }
      // Waits for half of the records: a sleep for each would be slow.
      count = collected_ + std::max<uint64_t>((appended_ - collected_) / 2, 1);
    }
    auto awaited = AwaitCollected(count, kNoDeadline);
    if (!awaited) return awaited.error();
  }
}

bool RingWriter::WouldWaitTooLong(const SmallPut& put) {
  if (Comparable(put.timeout_ms) >= longest_timeout_ms_) return false;
  Collect();  // They may be answered meanwhile.
  return appended_ != collected_;
}

bool RingWriter::HasRoom(uint64_t record_bytes) const {
  const uint64_t to_wrap = kRingBytes - submitted_ % kRingBytes;
  const uint64_t filler = record_bytes > to_wrap ? to_wrap : 0;
  return appended_ - collected_ < kRingResults &&
         filler + record_bytes <= kRingBytes - (submitted_ - reusable_);
}

bool RingWriter::MakeRoom(uint64_t record_bytes) {
  if (over_.has_value()) return false;
  if (HasRoom(record_bytes)) return true;
  Collect();
  return !over_.has_value() && HasRoom(record_bytes);
}

uint64_t RingWriter::Write(const SmallPut& put, uint64_t record_bytes,
                           Waiter* waiter) {
  const uint64_t to_wrap = kRingBytes - submitted_ % kRingBytes;
  if (record_bytes > to_wrap) WriteFiller(to_wrap);
  const std::string& id = put.id.text();
  const RecordHeader header{static_cast<uint32_t>(record_bytes),
                            static_cast<uint32_t>(put.data.size()),
                            put.mode,
                            static_cast<uint16_t>(id.size()),
                            static_cast<uint16_t>(put.metadata.size()),
                            put.timeout_ms};
  std::byte* place = ring_->bytes.data() + submitted_ % kRingBytes;
  AppendTo(&place, std::span(&header, 1));
  AppendTo(&place, std::span(id));
  AppendTo(&place, put.data);
  AppendTo(&place, put.metadata);
  const int64_t timeout_ms = Comparable(put.timeout_ms);
  longest_timeout_ms_ = appended_ == collected_
                            ? timeout_ms
                            : std::max(longest_timeout_ms_, timeout_ms);
  records_[appended_ % kRingResults] =
      Record{submitted_, submitted_ + record_bytes,
             static_cast<uint32_t>(id.size()), waiter};
  submitted_ += record_bytes;
  ++appended_;
  ring_->submitted.store(submitted_, std::memory_order_release);
  return appended_;
}

// The filler becomes visible together with the record behind it.
void RingWriter::WriteFiller(uint64_t bytes) {
  const RecordHeader header{.record_bytes = static_cast<uint32_t>(bytes)};
  std::memcpy(ring_->bytes.data() + submitted_ % kRingBytes, &header,
              sizeof(header));
  submitted_ += bytes;
}

// Rings once for each sleep of the store.  While the record that was rung for
// is not answered, another ring is needless: between that answer and its next
// sleep, the store reads `submitted`, which the fence below orders.
void RingWriter::RingBell(uint64_t count) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (ring_->store_sleeps.load(std::memory_order_relaxed) == 0) return;
  const uint32_t missing = static_cast<uint32_t>(count) -
                           ring_->answered.load(std::memory_order_relaxed);
  if (missing == 0 || missing > kRingResults) return;  // It is answered.
  if (rung_for_.load(std::memory_order_acquire) > count - missing) return;
  const uint64_t one = 1;
  // EAGAIN: the bell rings already.  If the store is gone, the session ends.
  while (::write(bell_.get(), &one, sizeof(one)) < 0 && errno == EINTR) {
  }
  // Only after the write: another thread may rely on rung_for_.
  rung_for_.store(count, std::memory_order_release);
}

// --- collecting ---

void RingWriter::Collect() {
  const uint32_t answered = ring_->answered.load(std::memory_order_acquire);
  const uint32_t news = answered - static_cast<uint32_t>(collected_);
  if (news > appended_ - collected_) return FinishAsNonsense();
  for (uint32_t i = 0; i < news; ++i) {
    if (!CollectOne()) return FinishAsNonsense();
  }
}

bool RingWriter::CollectOne() {
  const Record& record = records_[collected_ % kRingResults];
  const uint32_t answer =
      ring_->results[collected_ % kRingResults].load(std::memory_order_relaxed);
  if (!MakesSense(answer)) return false;
  if (record.waiter != nullptr) {
    record.waiter->answer = answer;
  } else if (answer != kRecordSealed) {
    auto id = IdOf(record);
    if (!id.has_value()) return false;
    const Error error = ToStatus(answer, *id).error();
    failures_->Add(FailedPut{std::move(*id), error});
  }
  reusable_ = record.end;
  ++collected_;
  return true;
}

// Empty: the record was overwritten by another process.
std::optional<ObjectId> RingWriter::IdOf(const Record& record) const {
  std::array<char, ObjectId::kMaxBytes> text;
  std::memcpy(
      text.data(),
      ring_->bytes.data() + record.position % kRingBytes + sizeof(RecordHeader),
      record.id_bytes);
  auto id = ObjectId::FromText(std::string_view(text.data(), record.id_bytes));
  if (!id) return std::nullopt;
  return std::move(*id);
}

// Fails all records that were not collected.  Threads that wait see that the
// ring is over.
void RingWriter::Finish(const Error& error) {
  over_ = error;
  for (; collected_ != appended_; ++collected_) {
    const Record& record = records_[collected_ % kRingResults];
    if (record.waiter != nullptr) continue;
    auto id = IdOf(record);
    if (id.has_value()) failures_->Add(FailedPut{std::move(*id), error});
  }
  is_over_.store(true, std::memory_order_seq_cst);
  WakeWaiters();
}

void RingWriter::FinishAsNonsense() {
  Finish(CorruptRing("the answers in the submission ring make no sense"));
  on_nonsense_();
}

}  // namespace vitrine
