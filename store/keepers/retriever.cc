#include "store/keepers/retriever.h"

#include <spdlog/spdlog.h>
#include <sys/mman.h>

#include <cstddef>
#include <utility>
#include <vector>

#include "schema/base/mapping.h"

namespace vitrine::store {

void Retriever::Want(const ObjectRef& object, SpaceWait wait, Done<void> done) {
  bool first = false;
  {
    MutexLock lock(mutex_);
    // Under the lock: Finish tells those who came before the object was back.
    const ObjectInfo info = parts_.table->queries().Info(object);
    if (info.state == ObjectState::kSealed && info.elsewhere) {
      std::deque<Waiter>& waiters = waiters_[info.number];
      waiters.push_back({wait, std::move(done)});
      first = waiters.size() == 1;
      if (!first) return;
    }
  }
  if (first) return Start(object, wait);
  // If its eviction has begun, that takes it back.
  parts_.table->sealed().Touch(object);
  done(Status());
}

uint64_t Retriever::ChargeOf(const ObjectInfo& info) const {
  const uint64_t page = parts_.segments->page_bytes();
  return (info.size_bytes + page - 1) / page * page;
}

void Retriever::Start(const ObjectRef& object, SpaceWait wait) {
  const ObjectInfo info = parts_.table->queries().Info(object);
  if (info.in_slab()) {
    return parts_.run(
        [this, object, info, wait] { FetchSmall(object, info, wait); });
  }
  const uint64_t bytes = ChargeOf(info);
  const auto fetch = [this, object, info, bytes] {
    parts_.run([this, object, info, bytes] { Fetch(object, info, bytes); });
  };
  if (parts_.budget->TryCharge(bytes)) return fetch();
  parts_.budget->Charge(
      bytes, wait,
      [this, object, fetch](Status granted) {
        if (!granted) return GiveUp(object, granted.error());
        fetch();
      },
      object.get());
}

// Retired while it is filled: a store that is killed meanwhile leaves nothing
// behind that a start takes for an object.
Result<RetiredSegment> Retriever::FetchSegment(const ObjectInfo& info) {
  const uint64_t number = parts_.table->upkeep().NewNumber();
  auto fd = parts_.segments->CreateRetired(number, info.size_bytes);
  if (!fd) return fd.error();
  RetiredSegment segment{.number = number,
                         .allocated_bytes = ChargeOf(info),
                         .size_bytes = info.size_bytes};
  if (info.size_bytes == 0) return segment;
  auto memory =
      Mapping::Map(fd->get(), segment.allocated_bytes, PROT_READ | PROT_WRITE);
  Status got = memory
                   ? parts_.tier->Get(info, {memory->data(), info.size_bytes})
                   : memory.error();
  if (got) return segment;
  (void)parts_.segments->UnlinkRetired(number);  // Only this thread has it.
  return got.error();
}

Status Retriever::PutBack(const ObjectRef& object, const ObjectInfo& info,
                          uint64_t charged_bytes) {
  auto segment = FetchSegment(info);
  Status back = segment ? parts_.table->returning().Return(object, *segment)
                        : segment.error();
  if (back) return back;
  if (segment) (void)parts_.segments->UnlinkRetired(segment->number);
  parts_.budget->Uncharge(charged_bytes);
  return back;
}

void Retriever::Fetch(const ObjectRef& object, const ObjectInfo& info,
                      uint64_t charged_bytes) {
  Finish(object, PutBack(object, info, charged_bytes));
}

void Retriever::FetchSmall(const ObjectRef& object, const ObjectInfo& info,
                           SpaceWait wait) {
  std::vector<std::byte> bytes(info.size_bytes);
  Status back = parts_.tier->Get(info, bytes);
  if (back) back = parts_.table->returning().ReturnSmall(object, bytes);
  if (back || back.error().code != Code::kOutOfMemory) {
    return Finish(object, back);
  }
  parts_.add_room(wait, [this, object, info, wait](Status added) {
    if (!added) return GiveUp(object, added.error());
    parts_.run([this, object, info, wait] { FetchSmall(object, info, wait); });
  });
}

// The tier keeps its copy: the next eviction of the object carries nothing.
void Retriever::Finish(const ObjectRef& object, const Status& status) {
  const uint64_t number = NumberOf(*object);
  std::deque<Waiter> waiters;
  {
    MutexLock lock(mutex_);
    waiters.swap(waiters_[number]);
    waiters_.erase(number);
    if (!status) ++failures_;
  }
  if (!status) {
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
