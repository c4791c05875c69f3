#include "store/keepers/writer_watch.h"

#include <algorithm>
#include <chrono>

#include "schema/base/huge_page.h"
#include "store/base/thread_setup.h"

namespace vitrine::store {
namespace {

// At 4 GB/s a writer takes 4 MB between two looks.
constexpr auto kShortestPause = std::chrono::milliseconds(1);
constexpr auto kLongestPause = std::chrono::milliseconds(16);

// Smaller files get no huge pages: clearing one costs more than it gains.
constexpr uint64_t kWorthHugePages = 256 << 10;
constexpr uint64_t kLeastAhead = 8 << 20;
constexpr uint64_t kMostAhead = 64 << 20;

}  // namespace

WriterWatch::WriterWatch(ObjectTable* table, SegmentDir* segments,
                         MemoryBudget* budget, Options options)
    : table_(table),
      segments_(segments),
      budget_(budget),
      options_(options),
      thread_([this] { Run(); }) {}

WriterWatch::~WriterWatch() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

void WriterWatch::Add(const ObjectRef& object) {
  {
    MutexLock lock(mutex_);
    watched_.push_back({.object = object});
  }
  changed_.NotifyAll();
}

void WriterWatch::Remove(const ObjectRef& object) {
  MutexLock lock(mutex_);
  auto found = std::find_if(
      watched_.begin(), watched_.end(),
      [&](const Watched& watched) { return watched.object == object; });
  if (found == watched_.end()) return;
  LookAt(&*found);
  watched_.erase(found);
}

WriterWatch::Numbers WriterWatch::Count() const {
  MutexLock lock(mutex_);
  return {.writers = watched_.size(), .outran = outran_};
}

void WriterWatch::Run() {
  SetUpThread("writer-watch", ThreadPriority::kHigh);
  auto pause = kShortestPause;
  MutexLock lock(mutex_);
  while (!stopping_) {
    if (watched_.empty()) {
      changed_.Wait(mutex_);
      pause = kShortestPause;
      continue;
    }
    const bool grown = LookAtAll();
    pause = grown ? kShortestPause : std::min(2 * pause, kLongestPause);
    changed_.WaitUntil(mutex_, std::chrono::steady_clock::now() + pause);
  }
}

bool WriterWatch::LookAtAll() {
  bool grown = false;
  for (Watched& watched : watched_) {
    const uint64_t before = watched.last_size_bytes;
    grown |= LookAt(&watched);
    const uint64_t size = watched.last_size_bytes;
    if (size > before && NeedsPages(size)) ReserveAhead(watched.object, size);
  }
  CountOutrun();
  return grown;
}

bool WriterWatch::LookAt(Watched* watched) {
  auto file = table_->sealed().Share(watched->object);
  if (!file) return false;  // Aborted meanwhile.
  auto extent = (*file)->Stat();
  if (!extent) return false;
  const uint64_t grown =
      table_->unsealed().RaiseCharge(watched->object, extent->allocated_bytes);
  if (grown > 0) budget_->ForceCharge(grown);
  const bool wrote = extent->size_bytes > watched->last_size_bytes;
  watched->last_size_bytes = extent->size_bytes;
  return wrote || grown > 0;
}

// A writer of whole huge pages is left alone where it gets them anyway: what is
// reserved and not written goes back untouched, and makes the next writer wait
// for memory that was in use long ago (on virtual machines, for the host).
bool WriterWatch::NeedsPages(uint64_t size_bytes) const {
  if (!options_.reserve_ahead || size_bytes < kWorthHugePages) return false;
  return !options_.whole_writes_get_huge_pages ||
         size_bytes % kTmpfsHugePageBytes != 0;
}

void WriterWatch::ReserveAhead(const ObjectRef& object, uint64_t size_bytes) {
  auto charged = table_->unsealed().BeginChange(object);
  if (!charged) return;
  uint64_t target =
      size_bytes + std::clamp(size_bytes, kLeastAhead, kMostAhead);
  target -= target % kTmpfsHugePageBytes;
  // Reserves twice as far as needed, so that not every look has to reserve.
  const bool enough = *charged >= size_bytes + kLeastAhead / 2 &&
                      *charged >= (size_bytes + target) / 2;
  if (!enough && target > *charged && budget_->TryCharge(target - *charged)) {
    const auto raised = table_->unsealed().TryRaiseCharge(object, target);
    budget_->Uncharge(target - *charged - (raised ? *raised : 0));
    if (raised) {
      // What is charged is there, or was.  Reserving it again would clear pages
      // that the writer is about to fill, and keep it waiting meanwhile.
      const uint64_t begin = std::max(size_bytes, *charged);
      // Fails only if the file system is full; then the writer gets ENOSPC.
      (void)segments_->Reserve(object->number, begin, target - begin);
    }
  }
  table_->unsealed().EndChange(object);
}

void WriterWatch::CountOutrun() {
  const MemoryBudget::Numbers budget = budget_->Get();
  // Parked segments take memory, too.
  const bool at_limit =
      budget.used_bytes + budget.parked_bytes >= options_.limit_bytes;
  if (at_limit && !at_limit_) ++outran_;
  at_limit_ = at_limit;
}

}  // namespace vitrine::store
