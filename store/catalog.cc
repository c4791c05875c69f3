#include "store/catalog.h"

#include <malloc.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "schema/base/mutex.h"
#include "schema/base/wall_clock.h"
#include "store/catalog_writer.h"
#include "store/thread_setup.h"

namespace vitrine {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using TimePoint = steady_clock::time_point;
using Callbacks = std::vector<std::function<void()>>;

// Long enough for large batches, short enough for the 50 ms of the promise.
constexpr milliseconds kBatchTime(15);
constexpr size_t kLargeBatch = 8192;
constexpr size_t kHugeBatch = 100'000;
constexpr milliseconds kRetryTime(250);
constexpr size_t kMaxQueuedUses = 1024 * 1024;
constexpr int kFinalAttempts = 3;

// Whoever calls adds to `pending_`; the thread folds that into `batch_` and
// writes it, again and again if it fails.
class SqliteCatalog : public Catalog {
 public:
  SqliteCatalog(std::unique_ptr<CatalogWriter> writer,
                const CatalogLimits& limits, int64_t next_sequence);
  ~SqliteCatalog() override;

  Status Reconcile(const std::vector<ObjectInfo>& live) override
      EXCLUDES(writer_mutex_, mutex_);
  void ReconcileLater(LiveObjects live) override
      EXCLUDES(writer_mutex_, mutex_);
  void DropReconcile() override EXCLUDES(writer_mutex_, mutex_);
  void OnEvent(const ObjectEvent& event) override EXCLUDES(mutex_);
  void AfterPending(std::function<void()> done) override EXCLUDES(mutex_);
  void ClientConnected(uint64_t client, const std::string& name, pid_t pid,
                       uid_t uid) override EXCLUDES(mutex_);
  void ClientDisconnected(uint64_t client) override EXCLUDES(mutex_);
  void RecordUses(std::vector<ObjectInfo> infos) override EXCLUDES(mutex_);
  nlohmann::json StatusJson() const override EXCLUDES(mutex_);

 private:
  struct Pending {
    explicit Pending(size_t history_rows) : folded(history_rows) {}
    std::deque<QueuedEvent> events;
    // Clients, and what came after `events` was full.
    CatalogBatch folded;
    std::vector<std::vector<ObjectInfo>> uses;
    size_t use_count = 0;
    Callbacks after;
    TimePoint since = TimePoint::max();  // Of the oldest; max(): empty.
  };
  struct Numbers {
    uint64_t written = 0;
    uint64_t commits = 0;
    uint64_t failed = 0;
    uint64_t wal_bytes = 0;
    size_t batch_rows = 0;
    size_t to_reconcile = 0;
    std::string last_error;
    CatalogBatch::Dropped dropped;
  };

  // Notes that there is something to do since now.
  void NotePendingLocked() REQUIRES(mutex_);
  void Run();
  // Waits until it is time to write; false: the catalog is closing.
  bool WaitForWork() EXCLUDES(mutex_);
  Pending Take() EXCLUDES(mutex_);
  // Takes what is pending and tries to write it.  `force`: even if the last
  // attempt failed just now.
  Status Flush(bool force) EXCLUDES(writer_mutex_, mutex_);
  void Fold(Pending pending) REQUIRES(writer_mutex_);
  Status WriteBatch(bool force) REQUIRES(writer_mutex_) EXCLUDES(mutex_);
  // Makes the database agree with `live`.
  Status ReconcileNow(const LiveObjects& live) REQUIRES(writer_mutex_)
      EXCLUDES(mutex_);
  void SetLater(std::optional<LiveObjects> live) REQUIRES(writer_mutex_)
      EXCLUDES(mutex_);
  void NoteSuccess(size_t rows) REQUIRES(writer_mutex_) EXCLUDES(mutex_);
  void NoteFailure(const Error& error) REQUIRES(writer_mutex_) EXCLUDES(mutex_);
  void CheckpointIfLong() EXCLUDES(writer_mutex_, mutex_);
  // Tries hard, as there is no later.
  void FinalFlush() EXCLUDES(writer_mutex_, mutex_);

  const CatalogLimits limits_;
  const std::string path_;
  const int version_;

  Mutex writer_mutex_ ACQUIRED_BEFORE(mutex_);
  const std::unique_ptr<CatalogWriter> writer_ PT_GUARDED_BY(writer_mutex_);
  CatalogBatch batch_ GUARDED_BY(writer_mutex_);
  // Still to be reconciled with, before any batch.
  std::optional<LiveObjects> later_ GUARDED_BY(writer_mutex_);

  mutable Mutex mutex_;
  CondVar wake_;
  Pending pending_ GUARDED_BY(mutex_);
  bool urgent_ GUARDED_BY(mutex_) = false;  // Somebody waits for the commit.
  bool stop_ GUARDED_BY(mutex_) = false;
  bool failing_ GUARDED_BY(mutex_) = false;
  TimePoint retry_at_ GUARDED_BY(mutex_);
  // Of the oldest that was taken but is not committed; max(): there is none.
  TimePoint taken_since_ GUARDED_BY(mutex_) = TimePoint::max();
  int64_t next_sequence_ GUARDED_BY(mutex_);
  Numbers numbers_ GUARDED_BY(mutex_);

  std::thread thread_;  // Last, as it uses all the others.
};

SqliteCatalog::SqliteCatalog(std::unique_ptr<CatalogWriter> writer,
                             const CatalogLimits& limits, int64_t next_sequence)
    : limits_(limits),
      path_(writer->path()),
      version_(writer->version()),
      writer_(std::move(writer)),
      batch_(limits.history_rows),
      pending_(limits.history_rows),
      next_sequence_(next_sequence),
      thread_([this] { Run(); }) {}

SqliteCatalog::~SqliteCatalog() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  wake_.NotifyAll();
  thread_.join();
}

void SqliteCatalog::NotePendingLocked() {
  if (pending_.since != TimePoint::max()) return;
  pending_.since = steady_clock::now();
  wake_.NotifyOne();
}

void SqliteCatalog::OnEvent(const ObjectEvent& event) {
  const int64_t now_ns = NowNs();
  MutexLock lock(mutex_);
  QueuedEvent queued{event, now_ns, next_sequence_++};
  // Once one was folded, those that follow must not overtake it.
  const bool folding = !pending_.folded.objects().empty();
  if (folding || pending_.events.size() >= limits_.queued_events) {
    pending_.folded.AddEvent(std::move(queued), /*with_history=*/false);
  } else {
    pending_.events.push_back(std::move(queued));
    if (pending_.events.size() == kLargeBatch) wake_.NotifyOne();
  }
  NotePendingLocked();
}

void SqliteCatalog::AfterPending(std::function<void()> done) {
  {
    MutexLock lock(mutex_);
    if (pending_.since != TimePoint::max() ||
        taken_since_ != TimePoint::max()) {
      pending_.after.push_back(std::move(done));
      urgent_ = true;
      wake_.NotifyOne();
      return;
    }
  }
  done();
}

void SqliteCatalog::ClientConnected(uint64_t client, const std::string& name,
                                    pid_t pid, uid_t uid) {
  const int64_t now_ns = NowNs();
  MutexLock lock(mutex_);
  pending_.folded.AddClient(client, {name, pid, uid, now_ns, 0});
  NotePendingLocked();
}

void SqliteCatalog::ClientDisconnected(uint64_t client) {
  const int64_t now_ns = NowNs();
  MutexLock lock(mutex_);
  pending_.folded.RemoveClient(client, now_ns);
  NotePendingLocked();
}

void SqliteCatalog::RecordUses(std::vector<ObjectInfo> infos) {
  if (infos.empty()) return;
  MutexLock lock(mutex_);
  if (pending_.use_count > kMaxQueuedUses) {
    pending_.folded.DropUses(infos.size());
    return;
  }
  pending_.use_count += infos.size();
  pending_.uses.push_back(std::move(infos));
  NotePendingLocked();
}

nlohmann::json SqliteCatalog::StatusJson() const {
  MutexLock lock(mutex_);
  const TimePoint oldest = std::min(taken_since_, pending_.since);
  const TimePoint now = steady_clock::now();
  const auto lag = oldest < now ? now - oldest : steady_clock::duration::zero();
  CatalogBatch::Dropped dropped = numbers_.dropped;
  dropped += pending_.folded.dropped();
  return {{"path", path_},
          {"version", version_},
          {"pending", pending_.events.size() + pending_.folded.rows() +
                          pending_.use_count + numbers_.batch_rows +
                          numbers_.to_reconcile},
          {"reconciling", numbers_.to_reconcile},
          {"written", numbers_.written},
          {"commits", numbers_.commits},
          {"failed", numbers_.failed},
          {"last_error", numbers_.last_error},
          {"lag_ms", std::chrono::duration_cast<milliseconds>(lag).count()},
          {"wal_bytes", numbers_.wal_bytes},
          {"degraded", failing_ || !pending_.folded.objects().empty()},
          {"dropped",
           {{"events", dropped.events},
            {"objects", dropped.objects},
            {"clients", dropped.clients},
            {"uses", dropped.uses}}}};
}

void SqliteCatalog::Run() {
  SetUpThread("catalog", ThreadPriority::kLow);
  while (WaitForWork()) {
    (void)Flush(/*force=*/false);  // Noted, and tried again.
    CheckpointIfLong();
  }
  FinalFlush();
}

bool SqliteCatalog::WaitForWork() {
  MutexLock lock(mutex_);
  while (!stop_) {
    const TimePoint now = steady_clock::now();
    TimePoint due = TimePoint::max();
    if (pending_.since != TimePoint::max()) due = pending_.since + kBatchTime;
    if (failing_) due = std::min(due, retry_at_);
    if (urgent_ || pending_.events.size() >= kLargeBatch || due <= now) {
      return true;
    }
    if (due == TimePoint::max()) {
      wake_.Wait(mutex_);
    } else {
      wake_.WaitUntil(mutex_, due);
    }
  }
  return false;
}

SqliteCatalog::Pending SqliteCatalog::Take() {
  Pending taken(limits_.history_rows);
  MutexLock lock(mutex_);
  std::swap(taken, pending_);
  urgent_ = false;
  taken_since_ = std::min(taken_since_, taken.since);
  numbers_.batch_rows +=
      taken.events.size() + taken.folded.rows() + taken.use_count;
  return taken;
}

void SqliteCatalog::Fold(Pending pending) {
  for (QueuedEvent& event : pending.events) {
    batch_.AddEvent(std::move(event), /*with_history=*/true);
  }
  batch_.Merge(std::move(pending.folded));
  for (const std::vector<ObjectInfo>& infos : pending.uses) {
    batch_.AddUses(infos);
  }
}

Status SqliteCatalog::Flush(bool force) {
  Callbacks after;
  Status status;
  {
    MutexLock lock(writer_mutex_);
    Pending pending = Take();
    after.swap(pending.after);
    Fold(std::move(pending));
    status = WriteBatch(force);
  }
  for (const std::function<void()>& done : after) done();
  return status;
}

Status SqliteCatalog::WriteBatch(bool force) {
  if (!force) {
    MutexLock lock(mutex_);
    numbers_.batch_rows = batch_.rows();
    if (failing_ && steady_clock::now() < retry_at_) {
      return Error{Code::kUnavailable, numbers_.last_error};
    }
  }
  const size_t rows = batch_.rows();
  Status status;
  if (later_) {
    status = ReconcileNow(*later_);
    if (status) SetLater(std::nullopt);
  }
  if (status) status = writer_->Write(batch_);
  if (status) {
    batch_.Clear();
    NoteSuccess(rows);
    // Having fallen behind must not cost memory for ever.
    if (rows >= kHugeBatch) ::malloc_trim(0);
  } else {
    NoteFailure(status.error());
  }
  return status;
}

void SqliteCatalog::NoteSuccess(size_t rows) {
  bool recovered = false;
  {
    MutexLock lock(mutex_);
    recovered = std::exchange(failing_, false);
    taken_since_ = TimePoint::max();
    numbers_.batch_rows = 0;
    numbers_.written += rows;
    if (rows > 0) ++numbers_.commits;
    numbers_.wal_bytes = writer_->wal_bytes();
    numbers_.dropped = batch_.dropped();
  }
  if (recovered) spdlog::info("the catalog {} is written again", path_);
}

void SqliteCatalog::NoteFailure(const Error& error) {
  bool began = false;
  {
    MutexLock lock(mutex_);
    began = !std::exchange(failing_, true);
    retry_at_ = steady_clock::now() + kRetryTime;
    ++numbers_.failed;
    numbers_.last_error = error.ToString();
    numbers_.batch_rows = batch_.rows();
    numbers_.dropped = batch_.dropped();
  }
  if (began) {
    spdlog::error("the catalog cannot be written, trying again: {}",
                  error.ToString());
  }
}

void SqliteCatalog::CheckpointIfLong() {
  MutexLock lock(writer_mutex_);
  writer_->CheckpointIfLong();
}

void SqliteCatalog::FinalFlush() {
  Status status;
  for (int attempt = 0; attempt < kFinalAttempts; ++attempt) {
    status = Flush(/*force=*/true);
    if (status) return;
    std::this_thread::sleep_for(milliseconds(50));
  }
  MutexLock lock(writer_mutex_);
  spdlog::error("the catalog {} lacks the last {} rows: {}", path_,
                batch_.rows(), status.error().ToString());
}

Status SqliteCatalog::Reconcile(const std::vector<ObjectInfo>& live) {
  DropReconcile();
  if (Status status = Flush(/*force=*/true); !status) return status;
  MutexLock lock(writer_mutex_);
  return ReconcileNow(LiveObjectsOf(live));
}

Status SqliteCatalog::ReconcileNow(const LiveObjects& live) {
  return writer_->Reconcile(live, [this](size_t count) {
    MutexLock lock(mutex_);
    const int64_t first = next_sequence_;
    next_sequence_ += static_cast<int64_t>(count);
    return first;
  });
}

void SqliteCatalog::SetLater(std::optional<LiveObjects> live) {
  later_ = std::move(live);
  MutexLock lock(mutex_);
  numbers_.to_reconcile =
      later_ ? std::max<size_t>(1, later_->numbers.size()) : 0;
  if (later_) NotePendingLocked();
}

void SqliteCatalog::ReconcileLater(LiveObjects live) {
  MutexLock lock(writer_mutex_);
  SetLater(std::move(live));
}

void SqliteCatalog::DropReconcile() {
  MutexLock lock(writer_mutex_);
  SetLater(std::nullopt);
}

}  // namespace

Result<std::unique_ptr<Catalog>> Catalog::Open(const std::string& state_dir,
                                               const CatalogLimits& limits) {
  auto writer = CatalogWriter::Open(state_dir, limits);
  if (!writer) return writer.error();
  const auto next_sequence = (*writer)->ReadNextSequence();
  if (!next_sequence) return next_sequence.error();
  return std::unique_ptr<Catalog>(std::make_unique<SqliteCatalog>(
      *std::move(writer), limits, *next_sequence));
}

}  // namespace vitrine
