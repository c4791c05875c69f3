#include "store/keepers/retriever.h"

#include <spdlog/spdlog.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "schema/base/mapping.h"
#include "store/segments/segment_calls.h"

namespace vitrine::store {

void Retriever::Want(const ObjectRef& object, SpaceWait wait, Done<void> done) {
  switch (Join(object, wait, done)) {
    case Place::kFirst:
      return Start(object, wait);
    case Place::kBehind:
      return;
    case Place::kNone:
      // If its eviction has begun, the use takes it back.
      parts_.table->sealed().Touch(object);
      return done(Status());
  }
}

// The object's state is read under the lock: Finish tells all who joined before
// the object was back.
Retriever::Place Retriever::Join(const ObjectRef& object, SpaceWait wait,
                                 const Done<void>& done) {
  MutexLock lock(mutex_);
  const ObjectInfo info = parts_.table->queries().Info(object);
  if (!info.elsewhere) return Place::kNone;
  std::deque<Waiter>& waiters = waiters_[info.number];
  waiters.push_back({wait, done});
  return waiters.size() == 1 ? Place::kFirst : Place::kBehind;
}

void Retriever::ExpireWaits(Deadline now) {
  std::vector<Done<void>> ended;
  {
    MutexLock lock(mutex_);
    for (auto& [number, waiters] : waiters_) {
      if (waiters.empty()) continue;
      const auto over = std::stable_partition(
          std::next(waiters.begin()), waiters.end(),
          [now](const Waiter& waiter) { return waiter.wait.deadline > now; });
      for (auto waiter = over; waiter != waiters.end(); ++waiter) {
        ended.push_back(std::move(waiter->done));
      }
      waiters.erase(over, waiters.end());
    }
  }
  for (const auto& done : ended) {
    done(Error{Code::kOutOfMemory, "it did not come back into memory in time"});
  }
}

uint64_t Retriever::ChargeOf(const ObjectInfo& info) const {
  return RoundUpTo(info.size_bytes, parts_.segments->page_bytes());
}

void Retriever::Start(const ObjectRef& object, SpaceWait wait) {
  const ObjectInfo info = parts_.table->queries().Info(object);
  if (info.in_slab()) {
    return parts_.run(
        [this, object, info, wait] { FetchSmall(object, info, wait); });
  }
  const uint64_t bytes = ChargeOf(info);
  parts_.budget->Charge(
      bytes, wait,
      [this, object, info, bytes](Status granted) {
        if (!granted) return GiveUp(object, granted.error());
        parts_.run([this, object, info, bytes] {
          Finish(object, PutBack(object, info, bytes));
        });
      },
      object.get());
  EndWaitIfGone(object);
}

// Retired while it is filled: a store that is killed meanwhile leaves nothing
// behind that a start takes for an object.
Result<RetiredSegment> Retriever::FetchSegment(const ObjectInfo& info) {
  const uint64_t number = parts_.table->upkeep().NewNumber();
  auto fd = parts_.segments->CreateRetired(number, info.size_bytes);
  if (!fd) return fd.error();
  const SegmentFile file(*std::move(fd));
  Status filled = Fill(file, info);
  const auto extent = file.Stat();
  if (filled && !extent) filled = extent.error();
  if (filled) {
    return RetiredSegment{.number = number,
                          .allocated_bytes = extent->allocated_bytes,
                          .size_bytes = info.size_bytes};
  }
  (void)parts_.segments->UnlinkRetired(number);  // Only this thread has it.
  return filled.error();
}

Status Retriever::Fill(const SegmentFile& file, const ObjectInfo& info) {
  if (info.size_bytes == 0) return Get(info, {});
  auto memory = Mapping::Map(file.fd(), ChargeOf(info), PROT_READ | PROT_WRITE);
  if (!memory) return memory.error();
  return Get(info, {memory->data(), info.size_bytes});
}

Status Retriever::PutBack(const ObjectRef& object, const ObjectInfo& info,
                          uint64_t charged_bytes) {
  const auto segment = FetchSegment(info);
  if (!segment) {
    parts_.budget->Uncharge(charged_bytes);
    return segment.error();
  }
  // It may take more than was asked for: whole huge pages.
  parts_.budget->ForceCharge(segment->allocated_bytes);
  parts_.budget->Uncharge(charged_bytes);
  Status back = parts_.table->returning().Return(object, *segment);
  if (back) return back;
  (void)parts_.segments->UnlinkRetired(segment->number);
  parts_.budget->Uncharge(segment->allocated_bytes);
  return back;
}

void Retriever::FetchSmall(const ObjectRef& object, const ObjectInfo& info,
                           SpaceWait wait) {
  std::vector<std::byte> bytes(info.size_bytes);
  if (Status got = Get(info, bytes); !got) return Finish(object, got);
  const auto back = parts_.table->returning().ReturnSmall(object, bytes);
  if (!back) return Finish(object, back.error());
  if (*back) return Finish(object, Status());
  parts_.add_room(
      info.size_bytes, wait,
      [this, object, info, wait](Status added) {
        if (!added) return GiveUp(object, added.error());
        parts_.run(
            [this, object, info, wait] { FetchSmall(object, info, wait); });
      },
      object.get());
  EndWaitIfGone(object);
}

bool Retriever::IsGone(const ObjectRef& object) const {
  return parts_.table->queries().Info(object).state == ObjectState::kGone;
}

// An object that was deleted before it began to wait for memory.
void Retriever::EndWaitIfGone(const ObjectRef& object) {
  if (IsGone(object)) parts_.budget->EndWaitsOf(object.get());
}

// A client takes kNotFound for the end of the object.
Status Retriever::Get(const ObjectInfo& info, std::span<std::byte> bytes) {
  Status got = parts_.tier->Get(info, bytes);
  if (got || got.error().code != Code::kNotFound) return got;
  return Error{Code::kCorruption, "the tier has lost `" + info.id.text() +
                                      "`: " + got.error().message};
}

// The tier keeps its copy: the next eviction of the object carries nothing.
void Retriever::Finish(const ObjectRef& object, Status status) {
  const uint64_t number = NumberOf(*object);
  std::deque<Waiter> waiters;
  // The tier forgets an object that is deleted: no fault of the tier.
  const bool gone = !status && IsGone(object);
  if (gone) status = Error{Code::kNotFound, "the object was deleted"};
  {
    MutexLock lock(mutex_);
    waiters.swap(waiters_[number]);
    waiters_.erase(number);
    if (!status && !gone) ++failures_;
  }
  if (!status && !gone) {
    spdlog::warn("bringing object {} back: {}", number,
                 status.error().ToString());
  }
  for (const Waiter& waiter : waiters) waiter.done(status);
}

Done<void> Retriever::TakeFirst(uint64_t number,
                                std::optional<SpaceWait>* next) {
  MutexLock lock(mutex_);
  std::deque<Waiter>& waiters = waiters_[number];
  Done<void> first = std::move(waiters.front().done);
  waiters.pop_front();
  if (waiters.empty()) {
    waiters_.erase(number);
  } else {
    *next = waiters.front().wait;
  }
  return first;
}

void Retriever::GiveUp(const ObjectRef& object, const Error& error) {
  // The others would hear nothing else: the store shuts down, or is too small.
  if (error.code != Code::kOutOfMemory) return Finish(object, error);
  std::optional<SpaceWait> next;
  const auto first = TakeFirst(NumberOf(*object), &next);
  first(error);
  // Not from here: a thousand waiters in turn would fill the stack.
  if (next) parts_.run([this, object, next] { Start(object, *next); });
}

Retriever::Numbers Retriever::Count() const {
  MutexLock lock(mutex_);
  return {.waiting = waiters_.size(), .failures = failures_};
}

}  // namespace vitrine::store
