#include "store/tiers/spill_book.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "schema/base/size.h"

namespace vitrine::store {
namespace {

// Far fewer than a head can have; each value costs a read.
constexpr uint64_t kMostCopiedObjects = 10'000;
constexpr size_t kMostCopiedValues = 256;

}  // namespace

std::vector<Tier::Load> SpillBook::LeaveOutKept(
    std::span<const Tier::Load> loads) const {
  std::vector<Tier::Load> wanted;
  MutexLock lock(mutex_);
  for (const Tier::Load& load : loads) {
    const auto kept = places_.find(load.info.number);
    if (kept == places_.end() || kept->second.damaged) wanted.push_back(load);
  }
  return wanted;
}

Status SpillBook::Reserve(uint64_t bytes) {
  MutexLock lock(mutex_);
  if (limit_bytes_ == 0 ||
      (bytes <= limit_bytes_ && taken_bytes_ <= limit_bytes_ - bytes)) {
    taken_bytes_ += bytes;
    return Status();
  }
  return Error{Code::kOutOfMemory,
               "the limit of what may be spilled (spill_limit, " +
                   FormatSize(limit_bytes_) + ") is reached: " +
                   FormatSize(taken_bytes_) + " are taken, " +
                   FormatSize(bytes) + " more would be needed"};
}

void SpillBook::ForceReserve(uint64_t bytes) {
  MutexLock lock(mutex_);
  taken_bytes_ += bytes;
}

void SpillBook::Unreserve(uint64_t bytes) {
  MutexLock lock(mutex_);
  taken_bytes_ -= bytes;
}

uint64_t SpillBook::NewSequence() {
  MutexLock lock(mutex_);
  return ++last_sequence_;
}

void SpillBook::SkipSequence(uint64_t sequence) {
  MutexLock lock(mutex_);
  last_sequence_ = std::max(last_sequence_, sequence);
}

void SpillBook::Add(const SpillHead& head) { Add(head, false); }

void SpillBook::AddCopy(const SpillHead& head) { Add(head, true); }

void SpillBook::Add(const SpillHead& head, bool only_known) {
  MutexLock lock(mutex_);
  ValueState& value = values_[head.sequence];
  value.size_bytes = head.value_bytes;
  value_bytes_ += head.value_bytes;
  for (const SpilledObject& spilled : head.objects) {
    const ObjectInfo& info = spilled.object.info;
    value.full_bytes += info.size_bytes;
    const auto known = places_.find(info.number);
    if (known == places_.end() && only_known) {
      NoteForgotten(info.number, &value);
      continue;
    }
    if (known != places_.end()) Leave(known->second);
    const Place place{.sequence = head.sequence,
                      .offset_bytes = spilled.offset_bytes,
                      .size_bytes = info.size_bytes,
                      .hash = spilled.hash};
    SetPlace(place, &places_[info.number], &value);
  }
  Sort(head.sequence, value);
}

void SpillBook::SetPlace(const Place& place, Place* kept, ValueState* value) {
  *kept = place;
  ++value->live_objects;
  value->live_bytes += place.size_bytes;
  live_bytes_ += place.size_bytes;
}

void SpillBook::Leave(const Place& place) {
  ValueState& value = values_[place.sequence];
  --value.live_objects;
  value.live_bytes -= place.size_bytes;
  live_bytes_ -= place.size_bytes;
  Sort(place.sequence, value);
}

void SpillBook::Sort(uint64_t sequence, const ValueState& value) {
  if (value.damaged) return;
  if (value.live_objects == 0) {
    mostly_dead_.erase(sequence);
    dead_.insert(sequence);
  } else if (value.live_bytes < value.full_bytes / 2) {
    mostly_dead_.insert(sequence);
  }
}

void SpillBook::AddDead(uint64_t sequence, uint64_t bytes) {
  MutexLock lock(mutex_);
  values_[sequence].size_bytes = bytes;
  value_bytes_ += bytes;
  dead_.insert(sequence);
}

void SpillBook::AddDamaged(uint64_t sequence, uint64_t bytes) {
  MutexLock lock(mutex_);
  values_[sequence].size_bytes = bytes;
  value_bytes_ += bytes;
  MarkDamaged(sequence);
}

void SpillBook::MarkDamaged(uint64_t sequence) {
  ValueState& value = values_[sequence];
  if (std::exchange(value.damaged, true)) return;
  ++damaged_values_;
  dead_.erase(sequence);
  mostly_dead_.erase(sequence);
}

std::optional<SpillBook::Place> SpillBook::Find(uint64_t number) const {
  MutexLock lock(mutex_);
  const auto found = places_.find(number);
  if (found == places_.end()) return std::nullopt;
  return found->second;
}

void SpillBook::Forget(uint64_t number) {
  MutexLock lock(mutex_);
  const auto found = places_.find(number);
  if (found == places_.end()) return;
  const uint64_t sequence = found->second.sequence;
  Leave(found->second);
  places_.erase(found);
  NoteForgotten(number, &values_[sequence]);
  // The deletion of a dead value says it all.
  if (!dead_.contains(sequence)) newly_forgotten_.push_back(number);
}

void SpillBook::NoteForgotten(uint64_t number, ValueState* value) {
  value->forgotten.push_back(number);
  ++forgotten_;
}

uint64_t SpillBook::CountForgotten() const {
  MutexLock lock(mutex_);
  return forgotten_;
}

std::vector<uint64_t> SpillBook::NewlyForgotten() const {
  MutexLock lock(mutex_);
  return newly_forgotten_;
}

void SpillBook::NoteLogged(size_t count) {
  MutexLock lock(mutex_);
  newly_forgotten_.erase(
      newly_forgotten_.begin(),
      newly_forgotten_.begin() + static_cast<ptrdiff_t>(count));
}

std::vector<uint64_t> SpillBook::Forgotten() const {
  std::vector<uint64_t> numbers;
  MutexLock lock(mutex_);
  for (const auto& [sequence, value] : values_) {
    numbers.insert(numbers.end(), value.forgotten.begin(),
                   value.forgotten.end());
  }
  return numbers;
}

bool SpillBook::NoteDamage(uint64_t number, const Place& place) {
  MutexLock lock(mutex_);
  const auto found = places_.find(number);
  if (found == places_.end() || found->second != place || place.damaged) {
    return false;
  }
  found->second.damaged = true;
  ++damaged_objects_;
  MarkDamaged(place.sequence);
  return true;
}

bool SpillBook::HasWork() const {
  MutexLock lock(mutex_);
  return !dead_.empty() || !mostly_dead_.empty() || !newly_forgotten_.empty();
}

std::vector<uint64_t> SpillBook::DeadValues(size_t most) const {
  MutexLock lock(mutex_);
  const auto count = static_cast<ptrdiff_t>(std::min(most, dead_.size()));
  return {dead_.begin(), std::next(dead_.begin(), count)};
}

void SpillBook::Removed(std::span<const uint64_t> sequences) {
  MutexLock lock(mutex_);
  for (const uint64_t sequence : sequences) {
    dead_.erase(sequence);
    const auto value = values_.find(sequence);
    if (value == values_.end()) continue;
    taken_bytes_ -= value->second.size_bytes;
    value_bytes_ -= value->second.size_bytes;
    forgotten_ -= value->second.forgotten.size();
    values_.erase(value);
  }
}

std::vector<SpillBook::Value> SpillBook::MostlyDead(uint64_t live_bytes) const {
  MutexLock lock(mutex_);
  std::vector<Value> chosen;
  uint64_t bytes = 0;
  uint64_t objects = 0;
  for (const uint64_t sequence : mostly_dead_) {
    const ValueState& value = values_.at(sequence);
    bytes += value.live_bytes;
    objects += value.live_objects;
    const bool enough = bytes > live_bytes || objects > kMostCopiedObjects ||
                        chosen.size() == kMostCopiedValues;
    if (enough && !chosen.empty()) break;
    chosen.push_back({sequence, value.size_bytes, value.live_bytes});
  }
  return chosen;
}

void SpillBook::KeepForInspection(uint64_t sequence) {
  MutexLock lock(mutex_);
  if (values_.contains(sequence)) MarkDamaged(sequence);
}

SpillBook::Numbers SpillBook::Count() const {
  MutexLock lock(mutex_);
  return {.objects = places_.size(),
          .values = values_.size(),
          .live_bytes = live_bytes_,
          .dead_bytes = value_bytes_ - live_bytes_,
          .limit_bytes = limit_bytes_,
          .damaged_objects = damaged_objects_,
          .damaged_values = damaged_values_,
          .dead_values = dead_.size()};
}

}  // namespace vitrine::store
