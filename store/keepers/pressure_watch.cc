#include "store/keepers/pressure_watch.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "schema/base/size.h"
#include "store/base/thread_setup.h"

namespace vitrine::store {
namespace {

uint64_t SecondsSince(PressureGauge::Clock::time_point since,
                      PressureGauge::Clock::time_point now) {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(now - since);
  return static_cast<uint64_t>(seconds.count());
}

}  // namespace

Result<std::unique_ptr<PressureWatch>> PressureWatch::Start(const Parts& parts,
                                                            ReadRooms read) {
  auto alarm = machine::MemoryAlarm::Make();
  if (!alarm) return alarm.error();
  return std::unique_ptr<PressureWatch>(
      new PressureWatch(parts, std::move(read), *std::move(alarm)));
}

PressureWatch::PressureWatch(const Parts& parts, ReadRooms read,
                             machine::MemoryAlarm alarm)
    : parts_(parts),
      read_(std::move(read)),
      alarm_(std::move(alarm)),
      gauge_(parts.budget->capacity_bytes()),
      thread_([this] { Run(); }) {}

PressureWatch::~PressureWatch() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  alarm_.Stop();
  thread_.join();
}

void PressureWatch::Run() {
  SetUpThread("pressure", ThreadPriority::kHigh);
  for (;;) {
    {
      MutexLock lock(mutex_);
      if (stopping_) return;
    }
    alarm_.Wait(Look());
  }
}

std::chrono::milliseconds PressureWatch::Look() {
  const MemoryBudget::Numbers budget = parts_.budget->Get();
  const auto rooms = read_();
  const Clock::time_point now = Clock::now();
  uint64_t limit = 0;
  bool changed = false;
  std::chrono::milliseconds pause{};
  {
    MutexLock lock(mutex_);
    const uint64_t before = gauge_.limit_bytes();
    limit = gauge_.Measure(rooms, budget.used_bytes + budget.parked_bytes, now);
    changed = limit != before;
    pause = gauge_.NextPause();
    if (gauge_.is_short() && !short_since_) NoteBegin(now);
    if (!gauge_.is_short() && short_since_) NoteEnd(now);
  }
  if (changed) parts_.budget->SetCeiling(limit, parts_.segments->FreeBytes());
  return pause;
}

PressureWatch::Evicted PressureWatch::EvictedSince(
    const Evicted& before) const {
  const TableQueries::Numbers table = parts_.table->queries().Count();
  return {table.evicted_objects - before.objects,
          table.evicted_bytes - before.bytes};
}

void PressureWatch::NoteBegin(Clock::time_point now) {
  short_since_ = now;
  ++times_short_;
  at_begin_ = EvictedSince({});
  spdlog::warn("{}", Problem());
}

void PressureWatch::NoteEnd(Clock::time_point now) {
  const Evicted evicted = EvictedSince(at_begin_);
  evicted_.objects += evicted.objects;
  evicted_.bytes += evicted.bytes;
  spdlog::warn(
      "memory is no longer short, after {} s; {} objects of {} were evicted "
      "meanwhile",
      SecondsSince(*short_since_, now), evicted.objects,
      FormatSize(evicted.bytes));
  short_since_.reset();
}

std::string PressureWatch::Problem() const {
  if (!gauge_.is_short()) return "";
  std::string text = "memory is short: the store keeps to " +
                     FormatSize(gauge_.limit_bytes()) + " of its capacity of " +
                     FormatSize(parts_.budget->capacity_bytes());
  if (const auto& tightest = gauge_.tightest()) {
    text += ", because of " + tightest->room.limit + " (" +
            FormatSize(tightest->room.limit_bytes) + "), of which " +
            FormatSize(tightest->room.room_bytes) + " are left";
  }
  return text +
         "; raise that limit, end what else takes memory under it, or "
         "choose a smaller --capacity";
}

PressureWatch::Numbers PressureWatch::Count() const {
  MutexLock lock(mutex_);
  Numbers numbers{.is_short = gauge_.is_short(),
                  .problem = Problem(),
                  .limit_bytes = gauge_.limit_bytes(),
                  .times_short = times_short_,
                  .evicted_objects = evicted_.objects,
                  .evicted_bytes = evicted_.bytes};
  if (const auto& tightest = gauge_.tightest()) {
    numbers.limited_by = tightest->room.limit;
    numbers.room_bytes = tightest->room.room_bytes;
    numbers.reserve_bytes = tightest->reserve_bytes;
  }
  if (short_since_) {
    numbers.short_seconds = SecondsSince(*short_since_, Clock::now());
    const Evicted evicted = EvictedSince(at_begin_);
    numbers.evicted_objects += evicted.objects;
    numbers.evicted_bytes += evicted.bytes;
  }
  return numbers;
}

}  // namespace vitrine::store
