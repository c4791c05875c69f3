#include "store/catalog/catalog.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>
#include <thread>
#include <unordered_set>
#include <utility>

#include "schema/base/mutex.h"
#include "schema/base/wall_clock.h"
#include "schema/migrations.h"
#include "store/base/heap.h"
#include "store/base/thread_setup.h"
#include "store/catalog/catalog_advice.h"
#include "store/catalog/catalog_metrics.h"
#include "store/catalog/catalog_reconcile.h"
#include "store/catalog/catalog_writer.h"

namespace vitrine::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using TimePoint = steady_clock::time_point;
using Callbacks = std::vector<std::function<void()>>;

// Long enough for large batches, short enough for the promised 50 ms.
constexpr milliseconds kBatchTime(15);
constexpr size_t kLargeBatch = 8192;
constexpr size_t kHugeBatch = 64 * 1024;
constexpr milliseconds kRetryTime(250);
// So long damage may go unnoticed while there is nothing to write.
constexpr milliseconds kLookTime(2000);
// A rush is over when few events come in one batch's time.  The catalog waits
// for that no longer than kLongestRush.
constexpr size_t kRushDivisor = 64;
constexpr milliseconds kLongestRush(2000);
constexpr int kFinalAttempts = 3;

// A fixed list of objects, for Catalog::Reconcile.
class FixedObjects : public LiveObjects {
 public:
  explicit FixedObjects(const std::vector<ObjectInfo>& infos) : infos_(infos) {
    for (const ObjectInfo& info : infos) numbers_.insert(info.number);
  }
  size_t Count() override { return infos_.size(); }
  bool ReadPage(uint64_t* /*place*/, std::vector<ObjectInfo>* infos) override {
    *infos = infos_;
    return false;
  }
  std::vector<bool> AreAlive(std::span<const KnownObject> objects) override {
    std::vector<bool> alive;
    for (const KnownObject& known : objects) {
      alive.push_back(numbers_.contains(known.number));
    }
    return alive;
  }

 private:
  const std::vector<ObjectInfo>& infos_;
  std::unordered_set<uint64_t> numbers_;
};

// Callers add to `pending_`.  The thread folds that into `batch_` and writes
// it; if that fails, it tries again.  Between two batches it writes a page of a
// reconcile, if one is under way.
class SqliteCatalog : public Catalog {
 public:
  SqliteCatalog(std::unique_ptr<CatalogWriter> writer,
                const CatalogLimits& limits);
  ~SqliteCatalog() override;

  Status Reconcile(const std::vector<ObjectInfo>& live) override
      EXCLUDES(writer_mutex_, mutex_);
  void ReconcileLater(std::unique_ptr<LiveObjects> live) override
      EXCLUDES(writer_mutex_, mutex_);
  void DropReconcile() override EXCLUDES(writer_mutex_, mutex_);
  void OnEvent(const ObjectEvent& event) override EXCLUDES(mutex_);
  void AfterPending(std::function<void()> done) override EXCLUDES(mutex_);
  void ClientConnected(uint64_t client, const std::string& name, pid_t pid,
                       uid_t uid) override EXCLUDES(mutex_);
  void ClientDisconnected(uint64_t client) override EXCLUDES(mutex_);
  void RecordUses(std::vector<ObjectInfo> infos) override EXCLUDES(mutex_);
  StatusSection GetStatus() const override EXCLUDES(mutex_);

 private:
  struct Pending {
    explicit Pending(const CatalogLimits& limits) : folded(limits) {}
    std::deque<QueuedEvent> events;
    CatalogBatch folded;  // Clients, and counts of what was dropped.
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
    uint64_t times_behind = 0;
    uint64_t times_damaged = 0;
    std::string set_aside;
    std::string last_error;
    CatalogBatch::Dropped dropped;
  };

  // Takes in no more events until a reconcile begins.
  void FallBehindLocked() REQUIRES(mutex_);
  // The time of the oldest change that the database lacks.
  TimePoint OldestLocked() const REQUIRES(mutex_);
  steady_clock::duration LagLocked() const REQUIRES(mutex_);
  // All that the database lacks, as far as it is known.
  size_t CountPendingLocked() const REQUIRES(mutex_);
  // Notes that changes are pending since now.
  void NotePendingLocked() REQUIRES(mutex_);
  void Run();
  // Waits until it is time to write; false: the catalog is closing.
  bool WaitForWork() EXCLUDES(mutex_);
  Pending Take() EXCLUDES(mutex_);
  // Takes the pending changes and tries to write them.  `force`: even if the
  // last attempt failed just now.
  Status Flush(bool force) EXCLUDES(writer_mutex_, mutex_);
  void Fold(Pending pending) REQUIRES(writer_mutex_);
  Status WriteBatch(bool force) REQUIRES(writer_mutex_) EXCLUDES(mutex_);
  // Has the writer connected to a database.
  Status Prepare() REQUIRES(writer_mutex_) EXCLUDES(mutex_);
  // True if the catalog is behind and a reconcile should begin.
  bool WantsReconcile() EXCLUDES(mutex_);
  // Takes in events again; earlier changes are found by reconciling.
  void BeginReconcile(LiveObjects* live, CatalogReconcile::Reason reason)
      REQUIRES(writer_mutex_) EXCLUDES(mutex_);
  // Writes a page, if a reconcile is under way or has to begin.
  Status ReconcilePage() REQUIRES(writer_mutex_) EXCLUDES(mutex_);
  void StopReconcile() REQUIRES(writer_mutex_) EXCLUDES(mutex_);
  void NoteReconciled() REQUIRES(writer_mutex_) EXCLUDES(mutex_);
  CatalogReconcile::Context MakeContext() EXCLUDES(mutex_);
  void NoteSuccess(size_t rows) REQUIRES(writer_mutex_) EXCLUDES(mutex_);
  void NoteFailure(const Error& error) REQUIRES(writer_mutex_) EXCLUDES(mutex_);
  void CheckpointIfLong() EXCLUDES(writer_mutex_, mutex_);
  // Tries several times, because it is the last chance.
  void FinalFlush() EXCLUDES(writer_mutex_, mutex_);

  const CatalogLimits limits_;
  const std::string path_;

  Mutex writer_mutex_ ACQUIRED_BEFORE(mutex_);
  const std::unique_ptr<CatalogWriter> writer_ PT_GUARDED_BY(writer_mutex_);
  CatalogBatch batch_ GUARDED_BY(writer_mutex_);
  // Null: the store's objects cannot be read.
  std::unique_ptr<LiveObjects> live_ GUARDED_BY(writer_mutex_);
  std::optional<CatalogReconcile> reconcile_ GUARDED_BY(writer_mutex_);
  Callbacks after_ GUARDED_BY(writer_mutex_);
  bool trim_memory_ GUARDED_BY(writer_mutex_) = false;  // Once it is written.

  mutable Mutex mutex_;
  CondVar wake_;
  Pending pending_ GUARDED_BY(mutex_);
  bool urgent_ GUARDED_BY(mutex_) = false;  // A caller waits for the commit.
  bool stop_ GUARDED_BY(mutex_) = false;
  bool failing_ GUARDED_BY(mutex_) = false;
  TimePoint retry_at_ GUARDED_BY(mutex_);
  TimePoint looked_at_ GUARDED_BY(mutex_);  // Then the database was well.
  // Time of the oldest change that was taken and is not committed; max(): none.
  TimePoint taken_since_ GUARDED_BY(mutex_) = TimePoint::max();
  // Events are dropped; `rush_` counts them since the thread last looked.
  bool behind_ GUARDED_BY(mutex_) = false;
  uint64_t rush_ GUARDED_BY(mutex_) = 0;
  TimePoint begin_by_ GUARDED_BY(mutex_);
  // Times of the oldest change that was dropped since the last reconcile began,
  // and of the oldest that the current reconcile has to find; max(): none.
  TimePoint dropped_since_ GUARDED_BY(mutex_) = TimePoint::max();
  TimePoint reconciling_since_ GUARDED_BY(mutex_) = TimePoint::max();
  bool catching_up_ GUARDED_BY(mutex_) = false;  // From drop to reconciled.
  bool reconciling_ GUARDED_BY(mutex_) = false;
  bool without_history_ GUARDED_BY(mutex_) = false;
  int64_t next_sequence_ GUARDED_BY(mutex_) = 1;  // In this run.
  Numbers numbers_ GUARDED_BY(mutex_);

  std::thread thread_;  // Last, as it uses all the others.
};

SqliteCatalog::SqliteCatalog(std::unique_ptr<CatalogWriter> writer,
                             const CatalogLimits& limits)
    : limits_(limits),
      path_(writer->path()),
      writer_(std::move(writer)),
      batch_(limits),
      pending_(limits) {
  // Here, so that it can be read as soon as the store is ready.
  (void)Flush(/*force=*/true);  // Noted, and tried again.
  thread_ = std::thread([this] { Run(); });
}

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
  const int64_t sequence = next_sequence_++;
  if (!behind_ && pending_.events.size() >= limits_.pending_rows) {
    FallBehindLocked();
  }
  if (behind_) {
    ++rush_;
    pending_.folded.DropEvents(1);
    return;
  }
  pending_.events.push_back(QueuedEvent{event, now_ns, sequence});
  if (pending_.events.size() == kLargeBatch) wake_.NotifyOne();
  NotePendingLocked();
}

void SqliteCatalog::FallBehindLocked() {
  behind_ = catching_up_ = true;
  ++numbers_.times_behind;
  pending_.folded.DropEvents(pending_.events.size());
  pending_.events = {};  // Its memory, too.
  const TimePoint now = steady_clock::now();
  dropped_since_ = std::min({dropped_since_, OldestLocked(), now});
  begin_by_ = now + kLongestRush;
  wake_.NotifyOne();
}

TimePoint SqliteCatalog::OldestLocked() const {
  return std::min(
      {taken_since_, pending_.since, dropped_since_, reconciling_since_});
}

void SqliteCatalog::AfterPending(std::function<void()> done) {
  {
    MutexLock lock(mutex_);
    if (OldestLocked() != TimePoint::max()) {
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
  // Recency is approximate anyway.
  const size_t room = limits_.pending_rows - pending_.use_count;
  if (infos.size() > room) {
    pending_.folded.DropUses(infos.size() - room);
    infos.erase(infos.begin() + static_cast<ptrdiff_t>(room), infos.end());
    infos.shrink_to_fit();
  }
  pending_.use_count += infos.size();
  pending_.uses.push_back(std::move(infos));
  NotePendingLocked();
}

size_t SqliteCatalog::CountPendingLocked() const {
  return pending_.events.size() + pending_.folded.rows() + pending_.use_count +
         numbers_.batch_rows + numbers_.to_reconcile + (behind_ ? 1 : 0);
}

steady_clock::duration SqliteCatalog::LagLocked() const {
  const TimePoint now = steady_clock::now();
  return now - std::min(now, OldestLocked());
}

StatusSection SqliteCatalog::GetStatus() const {
  MutexLock lock(mutex_);
  CatalogBatch::Dropped dropped = numbers_.dropped;
  dropped += pending_.folded.dropped();
  return CatalogSection(
      {.path = path_,
       .version = static_cast<int64_t>(CatalogMigrations().size()),
       .pending = CountPendingLocked(),
       .limit = limits_.pending_rows,
       .reconciling = numbers_.to_reconcile,
       .written = numbers_.written,
       .commits = numbers_.commits,
       .failed = numbers_.failed,
       .last_error = numbers_.last_error,
       .problem = failing_ ? numbers_.last_error : "",
       .lag = LagLocked(),
       .wal_bytes = numbers_.wal_bytes,
       .degraded = failing_ || catching_up_ || without_history_,
       .behind = catching_up_,
       .times_behind = numbers_.times_behind,
       .times_damaged = numbers_.times_damaged,
       .set_aside = numbers_.set_aside,
       .dropped = dropped});
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
  const TimePoint next_look = steady_clock::now() + kBatchTime;
  MutexLock lock(mutex_);
  while (!stop_) {
    const TimePoint now = steady_clock::now();
    TimePoint due = failing_ ? retry_at_ : looked_at_ + kLookTime;
    if (pending_.since != TimePoint::max()) {
      due = std::min(due, pending_.since + kBatchTime);
    }
    if (behind_) due = std::min(due, next_look);
    if (reconciling_ && !failing_) return true;
    if (urgent_ || pending_.events.size() >= kLargeBatch || due <= now) {
      return true;
    }
    wake_.WaitUntil(mutex_, due);
  }
  return false;
}

SqliteCatalog::Pending SqliteCatalog::Take() {
  Pending taken(limits_);
  MutexLock lock(mutex_);
  std::swap(taken, pending_);
  urgent_ = false;
  taken_since_ = std::min(taken_since_, taken.since);
  numbers_.batch_rows +=
      taken.events.size() + taken.folded.rows() + taken.use_count;
  without_history_ = taken.events.size() > limits_.pending_rows / 2;
  return taken;
}

void SqliteCatalog::Fold(Pending pending) {
  // Half as much to write.
  const bool with_history = pending.events.size() <= limits_.pending_rows / 2;
  for (; !pending.events.empty(); pending.events.pop_front()) {
    batch_.AddEvent(std::move(pending.events.front()), with_history);
  }
  batch_.Merge(std::move(pending.folded));
  for (const std::vector<ObjectInfo>& infos : pending.uses) {
    batch_.AddUses(infos);
  }
  for (std::function<void()>& done : pending.after) {
    after_.push_back(std::move(done));
  }
  if (!batch_.overflowed()) return;
  MutexLock lock(mutex_);
  if (!behind_) FallBehindLocked();
}

Status SqliteCatalog::Flush(bool force) {
  Callbacks after;
  Status status;
  {
    MutexLock lock(writer_mutex_);
    Fold(Take());
    status = WriteBatch(force);
    after.swap(after_);
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
  Status status = Prepare();
  if (status) status = ReconcilePage();
  if (status) status = writer_->Write(batch_);
  if (!status) {
    NoteFailure(status.error());
    return status;
  }
  const size_t rows = batch_.rows();
  batch_.Clear();
  NoteSuccess(rows);
  // Memory that was needed while the catalog was behind is given back.
  if (std::exchange(trim_memory_, false) || rows >= kHugeBatch) TrimHeap();
  return status;
}

Status SqliteCatalog::Prepare() {
  Status status = writer_->Prepare();
  // Rows that were written may not be in this database.
  if (writer_->TakeReconnected() && live_ != nullptr) {
    BeginReconcile(live_.get(), CatalogReconcile::Reason::kBehind);
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
    numbers_.times_damaged = writer_->times_damaged();
    numbers_.set_aside = writer_->set_aside();
    looked_at_ = steady_clock::now();
    numbers_.dropped = batch_.dropped();
  }
  if (recovered) spdlog::info("the catalog {} is written again", path_);
}

void SqliteCatalog::NoteFailure(const Error& error) {
  writer_->NoteFailure(error);
  const std::string problem = WithRemedy(error, path_);
  bool began = false;
  {
    MutexLock lock(mutex_);
    began = !std::exchange(failing_, true);
    retry_at_ = steady_clock::now() + kRetryTime;
    ++numbers_.failed;
    numbers_.last_error = problem;
    numbers_.batch_rows = batch_.rows();
    numbers_.dropped = batch_.dropped();
  }
  if (began) {
    spdlog::error(
        "the catalog cannot be written; the store serves its objects without "
        "it, and tries again: {}",
        problem);
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
  if (batch_.empty()) return;
  spdlog::error("the catalog {} lacks the last {} rows: {}", path_,
                batch_.rows(), status.error().ToString());
}

Status SqliteCatalog::Reconcile(const std::vector<ObjectInfo>& live) {
  DropReconcile();
  if (Status status = Flush(/*force=*/true); !status) return status;
  FixedObjects fixed(live);
  MutexLock lock(writer_mutex_);
  BeginReconcile(&fixed, CatalogReconcile::Reason::kRestart);
  Status status;
  while (status && reconcile_) status = ReconcilePage();
  StopReconcile();
  return status;
}

bool SqliteCatalog::WantsReconcile() {
  MutexLock lock(mutex_);
  if (!behind_) return false;
  const bool rush =
      std::exchange(rush_, 0) > limits_.pending_rows / kRushDivisor;
  return !rush || steady_clock::now() >= begin_by_;
}

void SqliteCatalog::BeginReconcile(LiveObjects* live,
                                   CatalogReconcile::Reason reason) {
  reconcile_.emplace(live, reason);  // Asks the store: `mutex_` is not held.
  batch_.ForgetObjects();
  MutexLock lock(mutex_);
  behind_ = false;
  reconciling_ = true;
  reconciling_since_ =
      std::min({reconciling_since_, dropped_since_, steady_clock::now()});
  dropped_since_ = TimePoint::max();
  numbers_.to_reconcile = std::max<size_t>(1, reconcile_->left());
}

CatalogReconcile::Context SqliteCatalog::MakeContext() {
  return {.fold = [this]() REQUIRES(writer_mutex_) -> const CatalogBatch& {
            Fold(Take());
            return batch_;
          },
          .take_sequence =
              [this](size_t count) {
                MutexLock lock(mutex_);
                const int64_t first = next_sequence_;
                next_sequence_ += static_cast<int64_t>(count);
                return first;
              }};
}

Status SqliteCatalog::ReconcilePage() {
  if (!reconcile_) {
    if (live_ == nullptr || !WantsReconcile()) return Status();
    BeginReconcile(live_.get(), CatalogReconcile::Reason::kBehind);
  }
  Status status = reconcile_->Step(writer_.get(), MakeContext());
  if (status) NoteReconciled();
  return status;
}

void SqliteCatalog::NoteReconciled() {
  if (reconcile_->done()) {
    StopReconcile();
    MutexLock lock(mutex_);
    reconciling_since_ = TimePoint::max();
    catching_up_ = behind_;
    trim_memory_ = !behind_;
  } else {
    MutexLock lock(mutex_);
    numbers_.to_reconcile = std::max<size_t>(1, reconcile_->left());
  }
}

void SqliteCatalog::StopReconcile() {
  reconcile_.reset();
  MutexLock lock(mutex_);
  reconciling_ = false;
  numbers_.to_reconcile = 0;
}

void SqliteCatalog::ReconcileLater(std::unique_ptr<LiveObjects> live) {
  MutexLock lock(writer_mutex_);
  live_ = std::move(live);
  BeginReconcile(live_.get(), CatalogReconcile::Reason::kRestart);
  wake_.NotifyOne();
}

void SqliteCatalog::DropReconcile() {
  MutexLock lock(writer_mutex_);
  StopReconcile();
  live_.reset();
}

}  // namespace

std::unique_ptr<Catalog> Catalog::Open(const std::string& state_dir,
                                       const CatalogLimits& limits,
                                       mode_t mode) {
  return std::make_unique<SqliteCatalog>(
      std::make_unique<CatalogWriter>(state_dir, limits, mode), limits);
}

}  // namespace vitrine::store
