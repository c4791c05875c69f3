#include "store/keepers/evictor.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "store/base/thread_setup.h"

namespace vitrine::store {
namespace {

using Clock = std::chrono::steady_clock;

// Clients unmap what they were asked for within this time, or not at all.
constexpr int kRoundsForRecall = 5;
constexpr auto kRecallPause = std::chrono::milliseconds(2);
// Most clients answer much sooner.  Younger objects go if they do not.
constexpr auto kPatience = std::chrono::milliseconds(5);
constexpr auto kPatientPause = std::chrono::microseconds(250);
// While nothing can be evicted: readers that end tell nobody.
constexpr int64_t kFirstPauseMs = 5;
constexpr int64_t kLongestPauseMs = 200;
// A pause is at least so many times the work in vain before it.
constexpr int64_t kPausePart = 10;

}  // namespace

Evictor::Evictor(ObjectTable* table, MemoryBudget* budget, Orphans* orphans,
                 ClientRegistry* clients, Tier* tier)
    : table_(table),
      budget_(budget),
      orphans_(orphans),
      clients_(clients),
      tier_(tier),
      carrier_(tier == nullptr ? nullptr : std::make_unique<Carrier>(tier)),
      thread_([this] { Run(); }) {}

Evictor::~Evictor() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
  FinishRequests(true);
}

void Evictor::Wake() {
  {
    MutexLock lock(mutex_);
    woken_ = true;
  }
  changed_.NotifyAll();
}

void Evictor::Request(uint64_t bytes, Done<uint64_t> done) {
  {
    MutexLock lock(mutex_);
    asked_.push_back({.bytes = bytes, .done = std::move(done)});
    woken_ = true;
  }
  changed_.NotifyAll();
}

uint64_t Evictor::Target() const {
  uint64_t target = budget_->Shortage();
  if (target > 0) target += budget_->RunAhead();
  MutexLock lock(mutex_);
  for (const Asked& asked : asked_) {
    target = std::max(target, asked.bytes - std::min(asked.bytes, asked.freed));
  }
  return target;
}

void Evictor::Run() {
  SetUpThread("evictor", ThreadPriority::kHigh);
  while (WaitForWork()) {
    budget_->ExpireWaits(Clock::now());
    const uint64_t target = Target();
    if (target > 0) {
      EvictOnce(target);
    } else {
      BePatientAgain();
      shares_in_vain_ = false;
    }
    // Before it sleeps: a request that is met is no work to wake up for.
    FinishRequests(false);
  }
}

bool Evictor::WaitForWork() {
  const uint64_t target = Target();
  const Deadline next_deadline = budget_->Get().next_deadline;
  MutexLock lock(mutex_);
  if (target == 0) pause_ms_ = 0;
  Deadline until = next_deadline;
  if (target > 0) {
    const bool waits_for_mappings =
        patient_until_ && Clock::now() < *patient_until_;
    const bool half_way =
        examined_in_vain_ > 0 || rounds_in_vain_ > 0 || waits_for_mappings;
    const auto pause = std::chrono::milliseconds(half_way ? 0 : pause_ms_);
    until = std::min(until, Clock::now() + pause);
  }
  // wait_until(max()) overflows in some libraries; an hour is as good.
  until = std::min(until, Clock::now() + std::chrono::hours(1));
  while (!stopping_ && !woken_) {
    if (!changed_.WaitUntil(mutex_, until)) break;
  }
  woken_ = false;
  return !stopping_;
}

Eviction::Batch Evictor::EvictBatch(uint64_t bytes) {
  Eviction& eviction = table_->eviction();
  table_->upkeep().DrainTouches();
  // Whoever asks for an eviction means the oldest, whosever they are.
  const bool by_share = !shares_in_vain_ && budget_->Shortage() > 0;
  const Eviction::Excesses over =
      by_share ? budget_->OverShare() : Eviction::Excesses();
  Eviction::Wishes wishes{.spares_young = IsPatient(), .over = over};
  if (tier_ == nullptr) {
    return eviction.Finish(eviction.Begin(bytes, Fate::kGone, wishes));
  }
  if (tier_fails_) {
    Eviction::Batch batch = EvictCopied(bytes, wishes);
    if (batch.evicted > 0) return batch;
  }
  return EvictToTier(bytes, wishes);
}

Eviction::Batch Evictor::EvictCopied(uint64_t bytes, Eviction::Wishes wishes) {
  wishes.only_copied = true;
  Eviction::Departure departure =
      table_->eviction().Begin(bytes, Fate::kElsewhere, wishes);
  (void)carrier_->Carry(&departure);  // There is nothing to put.
  return table_->eviction().Finish(std::move(departure));
}

Eviction::Batch Evictor::EvictToTier(uint64_t bytes,
                                     const Eviction::Wishes& wishes) {
  Eviction::Departure departure =
      table_->eviction().Begin(bytes, Fate::kElsewhere, wishes);
  const Status carried = carrier_->Carry(&departure);
  NoteCarried(carried);
  table_->upkeep().DrainTouches();
  Eviction::Batch batch = table_->eviction().Finish(std::move(departure));
  for (const uint64_t number : batch.deleted) tier_->Forget(number);
  // Other victims would fare no better.
  if (!carried && batch.evicted == 0) batch.examined = batch.evictable;
  return batch;
}

bool Evictor::IsPatient() const {
  const bool over = patient_until_ && Clock::now() >= *patient_until_;
  return !over && !tier_fails_ && clients_->KeepMappings();
}

// Once, until it works again: a full disk fails for every victim.
void Evictor::NoteCarried(const Status& carried) {
  const bool failed_before = std::exchange(tier_fails_, !carried);
  if (!carried && !failed_before) {
    spdlog::error("eviction: nothing goes to the tier: {}",
                  carried.error().ToString());
  }
  MutexLock lock(mutex_);
  if (!carried) ++numbers_.carry_failures;
}

void Evictor::EvictOnce(uint64_t bytes) {
  const auto began = Clock::now();
  Eviction::Batch batch = EvictBatch(bytes);
  spent_in_vain_ += Clock::now() - began;
  for (DroppedSegment& dropped : batch.dropped) {
    orphans_->Add(std::move(dropped));
  }
  const size_t recalled = batch.busy.empty() ? 0 : clients_->Recall(batch.busy);
  {
    MutexLock lock(mutex_);
    ++numbers_.batches;
    numbers_.busy += batch.busy.size();
    numbers_.recalls += recalled;
    numbers_.taken_back += batch.taken_back;
  }
  if (batch.evicted == 0 && batch.dropped.empty()) return NoProgress(batch);
  examined_in_vain_ = 0;
  rounds_in_vain_ = 0;
  spent_in_vain_ = {};
  if (batch.spared > 0) BePatientAgain();
  CreditRequests(batch.dropped_bytes);
  MutexLock lock(mutex_);
  pause_ms_ = 0;
}

void Evictor::NoProgress(const Eviction::Batch& batch) {
  examined_in_vain_ += batch.examined;
  if (examined_in_vain_ + batch.spared < batch.evictable) return;
  examined_in_vain_ = 0;
  if (batch.spared > 0) {
    if (!patient_until_) patient_until_ = Clock::now() + kPatience;
    std::this_thread::sleep_for(kPatientPause);
    return;
  }
  if (batch.by_share) {
    shares_in_vain_ = true;
    return;
  }
  orphans_->Add(table_->slabs().CloseOpenSlab());
  // What was deleted while somebody merely kept it mapped comes back soon.
  orphans_->Poll();
  // Clients give their blanks back only once nothing else is left to give.
  const bool blanks = table_->blanks().Count().blanks > 0;
  if (blanks && Target() > 0 && rounds_in_vain_ == 0) clients_->RecallBlanks();
  const bool worth_another = blanks || !batch.busy.empty() ||
                             batch.opened > 0 || orphans_->Count().count > 0;
  if (Target() > 0 && worth_another && ++rounds_in_vain_ < kRoundsForRecall) {
    std::this_thread::sleep_for(kRecallPause);
    return;
  }
  rounds_in_vain_ = 0;
  GiveUp();
}

void Evictor::GiveUp() {
  {
    // First: whoever hears of it finds it counted.
    MutexLock lock(mutex_);
    ++numbers_.stuck;
    pause_ms_ = std::clamp(2 * pause_ms_, kFirstPauseMs, kLongestPauseMs);
    // What was in vain is at most a small part of a processor's time.
    const auto spent =
        std::chrono::duration_cast<std::chrono::milliseconds>(spent_in_vain_);
    pause_ms_ = std::max(pause_ms_, kPausePart * spent.count());
  }
  spent_in_vain_ = {};
  shares_in_vain_ = false;
  budget_->FailStuck();
  FinishRequests(true);
}

void Evictor::CreditRequests(uint64_t freed) {
  MutexLock lock(mutex_);
  for (Asked& asked : asked_) asked.freed += freed;
}

void Evictor::FinishRequests(bool all) {
  std::list<Asked> finished;
  {
    MutexLock lock(mutex_);
    for (auto asked = asked_.begin(); asked != asked_.end();) {
      auto next = std::next(asked);
      if (all || asked->freed >= asked->bytes) {
        finished.splice(finished.end(), asked_, asked);
      }
      asked = next;
    }
  }
  for (Asked& asked : finished) asked.done(asked.freed);
}

Evictor::Numbers Evictor::Count() const {
  MutexLock lock(mutex_);
  return numbers_;
}

}  // namespace vitrine::store
