#include "store/keepers/housekeeper.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "store/base/thread_setup.h"

namespace vitrine::store {
namespace {

using Clock = std::chrono::steady_clock;

// While there are orphans: their memory should be freed soon after their users
// end.
constexpr auto kOrphanPause = std::chrono::milliseconds(20);
// A look at many orphans takes long.  A pause is so many times as long.
constexpr int kOrphanPausePart = 10;
constexpr auto kPause = std::chrono::milliseconds(500);
// Segments of the pool that were unused for so long are freed.
constexpr auto kIdleSpare = std::chrono::seconds(10);
constexpr size_t kWrittenPerRound = 1024;

}  // namespace

Housekeeper::Housekeeper(ObjectTable* table, SegmentDir* segments,
                         Orphans* orphans, SegmentPool* pool,
                         MemoryBudget* budget, ClientRegistry* clients,
                         Catalog* catalog, AbandonedWatch* abandoned,
                         std::function<void()> compact_slabs)
    : table_(table),
      segments_(segments),
      orphans_(orphans),
      pool_(pool),
      budget_(budget),
      clients_(clients),
      catalog_(catalog),
      abandoned_(abandoned),
      compact_slabs_(std::move(compact_slabs)),
      thread_([this] { Run(); }) {}

Housekeeper::~Housekeeper() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

void Housekeeper::Collapse(const ObjectRef& object) {
  {
    MutexLock lock(mutex_);
    to_collapse_.push_back(object);
  }
  changed_.NotifyAll();
}

void Housekeeper::Wake() {
  {
    MutexLock lock(mutex_);
    woken_ = true;
  }
  changed_.NotifyAll();
}

void Housekeeper::PrepareSlab(uint64_t size_bytes) {
  {
    MutexLock lock(mutex_);
    slab_to_prepare_bytes_ = size_bytes;
  }
  changed_.NotifyAll();
}

void Housekeeper::CollapseAll(const std::list<ObjectRef>& objects) {
  for (const ObjectRef& object : objects) {
    const ObjectInfo info = table_->queries().Info(object);
    if (info.state == ObjectState::kGone) continue;
    if (info.size_bytes < kTmpfsHugePageBytes) continue;
    // In an object with holes, a huge page would take more than is charged.
    if (info.charged_bytes < info.size_bytes) continue;
    segments_->Collapse(info.number, info.size_bytes);
  }
}

void Housekeeper::RecallOrphans() {
  const std::vector<uint64_t> segments = orphans_->Segments();
  if (!segments.empty()) clients_->Recall(segments);
}

void Housekeeper::ChargeGrowth(const ObjectRef& object) {
  auto file = table_->sealed().Share(object);
  if (!file) return;  // Aborted meanwhile.
  auto extent = (*file)->Stat();
  if (!extent) return;
  budget_->ForceCharge(
      table_->unsealed().RaiseCharge(object, extent->allocated_bytes));
}

// By number.
std::vector<ObjectRef> Housekeeper::WhatMayBeWritten() const {
  std::vector<ObjectRef> written =
      table_->queries().List(ObjectState::kUnsealed);
  const std::vector<ObjectRef> blanks = table_->blanks().List();
  written.insert(written.end(), blanks.begin(), blanks.end());
  std::sort(written.begin(), written.end(),
            [](const ObjectRef& left, const ObjectRef& right) {
              return left->number < right->number;
            });
  return written;
}

void Housekeeper::ChargeWhatWasWritten() {
  const std::vector<ObjectRef> written = WhatMayBeWritten();
  auto next = std::upper_bound(
      written.begin(), written.end(), last_looked_at_,
      [](uint64_t number, auto& ref) { return number < ref->number; });
  for (size_t i = 0; i < kWrittenPerRound && next != written.end(); ++i) {
    const ObjectRef& object = *next++;
    last_looked_at_ = object->number;
    ChargeGrowth(object);
  }
  if (next == written.end()) last_looked_at_ = 0;
}

Clock::duration Housekeeper::PollOrphans() {
  const Clock::time_point began = Clock::now();
  orphans_->Poll();
  return std::clamp<Clock::duration>(kOrphanPausePart * (Clock::now() - began),
                                     kOrphanPause, kPause);
}

void Housekeeper::Run() {
  SetUpThread("housekeeper", ThreadPriority::kNormal);
  Clock::time_point next_chores = Clock::now() + kPause;
  Clock::duration orphan_pause = kOrphanPause;
  for (;;) {
    std::list<ObjectRef> to_collapse;
    uint64_t slab_bytes = 0;
    const bool orphans = orphans_->Count().count > 0;
    {
      MutexLock lock(mutex_);
      const auto until = Clock::now() + (orphans ? orphan_pause : kPause);
      while (!stopping_ && !woken_ && to_collapse_.empty() &&
             slab_to_prepare_bytes_ == 0) {
        if (!changed_.WaitUntil(mutex_, until)) break;
      }
      if (stopping_) return;
      woken_ = false;
      to_collapse.swap(to_collapse_);
      slab_bytes = std::exchange(slab_to_prepare_bytes_, 0);
    }
    if (slab_bytes > 0) {
      pool_->Prepare(Audience::OfSlabs(slab_bytes), slab_bytes,
                     table_->upkeep().NewNumber());
    }
    CollapseAll(to_collapse);
    orphan_pause = PollOrphans();
    if (Clock::now() < next_chores) continue;
    next_chores = Clock::now() + kPause;
    // The evictor does so sooner, unless it carries.
    budget_->ExpireWaits(Clock::now());
    ChargeWhatWasWritten();
    abandoned_->Look(Clock::now());
    if (budget_->Get().lacking_bytes > 0) {
      budget_->NoteFree(segments_->FreeBytes());
    }
    orphans_->Add(table_->slabs().CloseIdleSlab());
    compact_slabs_();
    RecallOrphans();
    budget_->Relax();
    pool_->DropOlder(Clock::now() - kIdleSpare);
    table_->upkeep().DrainTouches();
    auto uses = table_->upkeep().TakeUses();
    if (!uses.empty()) catalog_->RecordUses(std::move(uses));
    table_->upkeep().RewriteJournalIfWanted();
  }
}

}  // namespace vitrine::store
