#include "store/segments/orphans.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace vitrine::store {
namespace {

// It can be opened again.
void Park(DroppedSegment* dropped) {
  if (dropped->retired_number != 0) dropped->file.reset();
}

}  // namespace

void Orphans::RaiseCharge(DroppedSegment* dropped) {
  auto extent = dropped->file->Stat();
  if (!extent || extent->allocated_bytes <= dropped->charged_bytes) return;
  budget_->ForceCharge(extent->allocated_bytes - dropped->charged_bytes);
  ChargePayer(*dropped, dropped->charged_bytes, extent->allocated_bytes);
  dropped->charged_bytes = extent->allocated_bytes;
}

void Orphans::ChargePayer(const DroppedSegment& dropped,
                          uint64_t released_bytes, uint64_t charged_bytes) {
  if (!dropped.payer) return;
  accounts_->Exchange(*dropped.payer, OnlyOf(Resource::kMemory, released_bytes),
                      *dropped.payer, OnlyOf(Resource::kMemory, charged_bytes));
}

Orphans::Numbers Orphans::Sum(const std::list<DroppedSegment>& segments) {
  Numbers numbers;
  for (const DroppedSegment& segment : segments) {
    ++numbers.count;
    numbers.bytes += segment.charged_bytes;
  }
  return numbers;
}

bool Orphans::Reopen(DroppedSegment* dropped) const {
  if (dropped->file != nullptr || dropped->retired_number == 0) return true;
  auto file = pool_->segments()->OpenRetired(dropped->retired_number);
  if (!file) return file.error().code == Code::kNotFound;
  dropped->file = *std::move(file);
  return true;
}

bool Orphans::TryRelease(DroppedSegment* dropped) {
  uint64_t allocated_bytes = 0;
  if (dropped->file != nullptr) {
    if (dropped->file.use_count() > 1) return false;
    // An open(2) that waited for the lease of an eviction has the file now.
    // Only a new lease tells.
    dropped->file->Unlease();
    auto alone = dropped->file->LeaseAlone();
    if (alone && !*alone) return false;
    const auto extent = dropped->file->Stat();
    // Zero: the pool does not take it.
    if (alone && extent) allocated_bytes = extent->allocated_bytes;
  }
  if (dropped->retired_from) {
    dropped->file.reset();
    Retire(*dropped, allocated_bytes);
  } else {
    Free(dropped);
  }
  dropped->charged_bytes = 0;
  return true;
}

// As an eviction: whoever is just opening it waits for the lease.
void Orphans::Free(DroppedSegment* dropped) {
  if (dropped->retired_number != 0) {
    Status removed = pool_->segments()->RemoveRetired(dropped->retired_number);
    if (!removed) spdlog::error("orphans: {}", removed.error().ToString());
  }
  dropped->file.reset();
  budget_->Uncharge(dropped->charged_bytes);
}

void Orphans::Retire(const DroppedSegment& dropped, uint64_t allocated_bytes) {
  if (dropped.charged_bytes >= allocated_bytes) {
    budget_->Uncharge(dropped.charged_bytes - allocated_bytes);
  } else {
    budget_->ForceCharge(allocated_bytes - dropped.charged_bytes);
  }
  pool_->Put(*dropped.retired_from, {.number = dropped.retired_number,
                                     .allocated_bytes = allocated_bytes});
}

void Orphans::Add(DroppedSegment dropped) {
  if (TryRelease(&dropped)) return;
  Park(&dropped);
  ChargePayer(dropped, 0, dropped.charged_bytes);
  MutexLock lock(mutex_);
  orphans_.push_back(std::move(dropped));
}

void Orphans::Poll() {
  std::list<DroppedSegment> polled;
  Numbers taken;  // Count includes them meanwhile.
  {
    MutexLock lock(mutex_);
    polled.swap(orphans_);
    taken = Sum(polled);
    polled_.count += taken.count;
    polled_.bytes += taken.bytes;
  }
  polled.remove_if([this](DroppedSegment& dropped) {
    if (!Reopen(&dropped)) return false;
    const uint64_t charged_bytes = dropped.charged_bytes;
    if (TryRelease(&dropped)) {
      ChargePayer(dropped, charged_bytes, 0);
      return true;
    }
    RaiseCharge(&dropped);
    Park(&dropped);
    return false;
  });
  MutexLock lock(mutex_);
  polled_.count -= taken.count;
  polled_.bytes -= taken.bytes;
  orphans_.splice(orphans_.begin(), polled);
}

std::vector<uint64_t> Orphans::Segments() const {
  MutexLock lock(mutex_);
  std::vector<uint64_t> segments;
  segments.reserve(orphans_.size());
  for (const DroppedSegment& orphan : orphans_) {
    segments.push_back(orphan.number);
  }
  return segments;
}

Orphans::Numbers Orphans::Count() const {
  MutexLock lock(mutex_);
  Numbers numbers = Sum(orphans_);
  numbers.count += polled_.count;
  numbers.bytes += polled_.bytes;
  return numbers;
}

}  // namespace vitrine::store
