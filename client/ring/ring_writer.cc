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
#include "schema/base/futex.h"

namespace vitrine {
namespace {

Error CorruptRing(const char* what) { return Error{Code::kCorruption, what}; }

// The size of the ring's `bytes`.  A shorter file would mean SIGBUS later.
Result<uint64_t> RingBytesOf(int fd) {
  struct stat info = {};
  if (::fstat(fd, &info) != 0) return ErrnoError("fstat the ring", errno);
  const uint64_t rest = static_cast<uint64_t>(info.st_size) - RingFileBytes(0);
  if (!S_ISREG(info.st_mode) || !IsRingSize(rest)) {
    return CorruptRing("the submission ring is no file, or of no such size");
  }
  return rest;
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

Result<Mapping> MapRing(int fd, uint64_t ring_bytes) {
  const ForkDelay delay;  // A child must not write in its parent's name.
  auto mapping =
      Mapping::Map(fd, RingFileBytes(ring_bytes), PROT_READ | PROT_WRITE);
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

// A ring that is full, or too small for a record, becomes so many times as
// large.
constexpr uint64_t kGrowth = 4;
// After the store refused to give a larger one.
constexpr std::chrono::seconds kNoGrowthTime{1};

Error TooLargeNow() {
  return Error{RingWriter::kWouldWaitTooLong,
               "too large for this submission ring"};
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

Result<std::unique_ptr<RingWriter::Ring>> RingWriter::MapNew(
    Ends ends, uint32_t first_record) {
  const auto bytes = RingBytesOf(ends.ring.get());
  if (!bytes) return bytes.error();
  if (Status ok = CheckBell(ends.bell.get()); !ok) return ok.error();
  auto mapping = MapRing(ends.ring.get(), *bytes);
  if (!mapping) return mapping.error();
  auto ring = std::make_unique<Ring>(
      Ring{std::move(*mapping), std::move(ends.bell), *bytes});
  if (ring->shared().submitted.load() != 0 ||
      ring->shared().answered.load() != first_record) {
    return CorruptRing("the submission ring is not a new one");
  }
  return ring;
}

Result<std::unique_ptr<RingWriter>> RingWriter::Open(
    Ends ends, PutFailures* failures, std::function<void()> on_nonsense,
    std::chrono::nanoseconds spin, Grow grow) {
  auto ring = MapNew(std::move(ends), 0);
  if (!ring) return ring.error();
  return std::unique_ptr<RingWriter>(new RingWriter(std::move(*ring), failures,
                                                    std::move(on_nonsense),
                                                    spin, std::move(grow)));
}

RingWriter::~RingWriter() {
  if (fork_generation_ == ForkGeneration()) return;
  // A child does not inherit the mappings; their addresses may be in other use.
  for (const auto& ring : rings_) (void)ring->mapping.release();
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
  std::optional<Appended> appended;
  {
    MutexLock lock(mutex_);
    auto tried = TryAppend(put, waiter);
    if (!tried) return tried.error();
    appended = *tried;
  }
  if (!appended) return AppendInTurn(put, waiter);
  RingBell(*appended);
  return appended->count;
}

Result<std::optional<RingWriter::Appended>> RingWriter::TryAppend(
    const SmallPut& put, Waiter* waiter) {
  const uint64_t bytes = RecordBytesOf(put);
  const bool room = !crowded_ && MakeRoom(bytes);
  const bool would_wait = !over_.has_value() && WouldWaitTooLong(put);
  if (over_.has_value()) return *over_;
  if (would_wait) return WouldWait();
  if (!room) return std::optional<Appended>();
  return std::optional(Appended{Write(put, bytes, waiter), ring_});
}

Result<uint64_t> RingWriter::AppendInTurn(const SmallPut& put, Waiter* waiter) {
  MutexLock turn(turn_);
  while (true) {
    {
      MutexLock lock(mutex_);
      crowded_ = false;
      auto appended = TryAppend(put, waiter);
      if (!appended) return appended.error();
      if (*appended) {
        RingBell(**appended);
        return (*appended)->count;
      }
      crowded_ = true;  // The others wait for their turn.
    }
    if (Status awaited = AwaitRoom(RecordBytesOf(put)); !awaited) {
      MutexLock lock(mutex_);
      crowded_ = false;
      return awaited.error();
    }
  }
}

// --- growing ---

uint64_t RingWriter::NextSize(uint64_t record_bytes) const {
  if (!grow_ || Clock::now() < no_growth_before_) return 0;
  MutexLock lock(mutex_);
  uint64_t bytes = ring_->bytes;
  if (bytes == kRingBytes) return 0;
  do {
    bytes *= kGrowth;
  } while (bytes / 2 < record_bytes);
  return std::min(bytes, kRingBytes);
}

Status RingWriter::AwaitRoom(uint64_t record_bytes) {
  if (const uint64_t bytes = NextSize(record_bytes)) {
    const auto grown = TryGrow(bytes);
    if (!grown) return grown.error();
    if (*grown) return {};
  }
  uint64_t count = 0;
  {
    MutexLock lock(mutex_);
    if (!Fits(record_bytes)) return TooLargeNow();
    // Waits for half of the records: a sleep for each would be slow.
    count = collected_ + std::max<uint64_t>((appended_ - collected_) / 2, 1);
  }
  return AwaitCollected(count, kNoDeadline);
}

// Nobody else appends meanwhile, as the ring is crowded.  The store reads the
// former ring until something is in the new one.
Result<bool> RingWriter::TryGrow(uint64_t bytes) {
  uint64_t appended = 0;
  {
    MutexLock lock(mutex_);
    appended = appended_;
  }
  const auto first_record = static_cast<uint32_t>(appended);
  auto ends = grow_(static_cast<uint32_t>(bytes), first_record);
  auto ring = ends ? MapNew(std::move(*ends), first_record)
                   : Result<std::unique_ptr<Ring>>(ends.error());
  if (!ring && ring.error().code == Code::kCorruption) on_nonsense_();
  if (!ring) {
    no_growth_before_ = Clock::now() + kNoGrowthTime;
    return false;
  }
  if (Status ok = AwaitCollected(appended, kNoDeadline); !ok) return ok.error();
  MutexLock lock(mutex_);
  if (over_.has_value()) return *over_;
  ring_ = ring->get();
  rings_.push_back(std::move(*ring));
  submitted_ = 0;
  reusable_ = 0;
  return true;
}

bool RingWriter::WouldWaitTooLong(const SmallPut& put) {
  if (Comparable(put.timeout_ms) >= longest_timeout_ms_) return false;
  Collect();  // They may be answered meanwhile.
  return appended_ != collected_;
}

bool RingWriter::HasRoom(uint64_t record_bytes) const {
  const uint64_t to_wrap = ring_->bytes - submitted_ % ring_->bytes;
  const uint64_t filler = record_bytes > to_wrap ? to_wrap : 0;
  return Fits(record_bytes) && appended_ - collected_ < kRingResults &&
         filler + record_bytes <= ring_->bytes - (submitted_ - reusable_);
}

bool RingWriter::MakeRoom(uint64_t record_bytes) {
  if (over_.has_value()) return false;
  if (HasRoom(record_bytes)) return true;
  Collect();
  return !over_.has_value() && HasRoom(record_bytes);
}

uint64_t RingWriter::Write(const SmallPut& put, uint64_t record_bytes,
                           Waiter* waiter) {
  const uint64_t to_wrap = ring_->bytes - submitted_ % ring_->bytes;
  if (record_bytes > to_wrap) WriteFiller(to_wrap);
  const std::string& id = put.id.text();
  const RecordHeader header{static_cast<uint32_t>(record_bytes),
                            static_cast<uint32_t>(put.data.size()),
                            put.mode,
                            static_cast<uint16_t>(id.size()),
                            static_cast<uint16_t>(put.metadata.size()),
                            put.timeout_ms};
  std::byte* place = ring_->shared().bytes.data() + submitted_ % ring_->bytes;
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
  ring_->shared().submitted.store(submitted_, std::memory_order_release);
  return appended_;
}

// The filler becomes visible together with the record behind it.
void RingWriter::WriteFiller(uint64_t bytes) {
  const RecordHeader header{.record_bytes = static_cast<uint32_t>(bytes)};
  std::memcpy(ring_->shared().bytes.data() + submitted_ % ring_->bytes, &header,
              sizeof(header));
  submitted_ += bytes;
}

// Rings once for each sleep of the store.  While the record that was rung for
// is not answered, another ring is needless: between that answer and its next
// sleep, the store reads `submitted`, which the fence below orders.
void RingWriter::RingBell(const Appended& appended) {
  const SubmissionRing& ring = appended.ring->shared();
  const uint64_t count = appended.count;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (ring.store_sleeps.load(std::memory_order_relaxed) == 0) return;
  const uint32_t missing = static_cast<uint32_t>(count) -
                           ring.answered.load(std::memory_order_relaxed);
  if (missing == 0 || missing > kRingResults) return;  // It is answered.
  if (rung_for_.load(std::memory_order_acquire) > count - missing) return;
  const uint64_t one = 1;
  const int bell = appended.ring->bell.get();
  // EAGAIN: the bell rings already.  If the store is gone, the session ends.
  while (::write(bell, &one, sizeof(one)) < 0 && errno == EINTR) {
  }
  // Only after the write: another thread may rely on rung_for_.
  rung_for_.store(count, std::memory_order_release);
}

// --- collecting ---

void RingWriter::Collect() {
  const uint32_t answered =
      ring_->shared().answered.load(std::memory_order_acquire);
  const uint32_t news = answered - static_cast<uint32_t>(collected_);
  if (news > appended_ - collected_) return FinishAsNonsense();
  for (uint32_t i = 0; i < news; ++i) {
    if (!CollectOne()) return FinishAsNonsense();
  }
}

bool RingWriter::CollectOne() {
  const Record& record = records_[collected_ % kRingResults];
  const uint32_t answer =
      ring_->shared().results[collected_ % kRingResults].load(
          std::memory_order_relaxed);
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
  std::memcpy(text.data(),
              ring_->shared().bytes.data() + record.position % ring_->bytes +
                  sizeof(RecordHeader),
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
  WakeFutex(&ring_->shared().answered);
}

void RingWriter::FinishAsNonsense() {
  Finish(CorruptRing("the answers in the submission ring make no sense"));
  on_nonsense_();
}

}  // namespace vitrine
