#include "fusefs/files/open_objects.h"

#include <utility>

namespace vitrine::fusefs {

// Registering is one short ioctl, so it is done under the lock: then no other
// thread can register the same segment meanwhile.
Result<OpenObjects::Opened> OpenObjects::Acquire(const ObjectRef& object,
                                                 uint64_t number) {
  {
    MutexLock lock(mutex_);
    const auto it = entries_.find(number);
    if (it != entries_.end()) {
      ++it->second.opens;
      if (it->second.opened.backing_id != 0) ++passthrough_opens_;
      return it->second.opened;
    }
  }
  auto segment = store_->objects().Share(object);
  if (!segment) return segment.error();
  const bool in_slab = store_->objects().Info(object).in_slab();
  MutexLock lock(mutex_);
  Entry& entry = entries_[number];
  if (entry.opens++ == 0) {
    entry.opened.segment = *std::move(segment);
    if (kernel_ != nullptr && !in_slab) {
      const auto id = kernel_->RegisterBacking(entry.opened.segment->fd());
      // On failure the object is not passed through: slower, but correct.
      if (id) entry.opened.backing_id = *id;
    }
  }
  if (entry.opened.backing_id != 0) ++passthrough_opens_;
  return entry.opened;
}

uint32_t OpenObjects::AddWriter(uint64_t number) {
  MutexLock lock(mutex_);
  return entries_[number].writers++;
}

uint32_t OpenObjects::RemoveWriter(uint64_t number) {
  MutexLock lock(mutex_);
  const auto it = entries_.find(number);
  return it == entries_.end() ? 0 : --it->second.writers;
}

void OpenObjects::NoteWriterClosed(uint64_t number) {
  MutexLock lock(mutex_);
  const auto it = entries_.find(number);
  if (it != entries_.end()) ++it->second.closed_writers;
}

bool OpenObjects::WritersAreClosing(uint64_t number) const {
  MutexLock lock(mutex_);
  const auto it = entries_.find(number);
  if (it == entries_.end() || it->second.closed_writers == 0) return false;
  // A file that is being released does not count as a writer any more.
  return it->second.writers <= it->second.closed_writers;
}

void OpenObjects::Release(uint64_t number, bool closed) {
  Opened dropped;
  MutexLock lock(mutex_);
  const auto it = entries_.find(number);
  if (it == entries_.end()) return;
  if (closed) --it->second.closed_writers;
  if (--it->second.opens > 0) return;
  dropped = std::move(it->second.opened);
  entries_.erase(it);
  if (kernel_ != nullptr && dropped.backing_id != 0) {
    kernel_->UnregisterBacking(dropped.backing_id);
  }
}

void OpenObjects::Detach() {
  MutexLock lock(mutex_);
  kernel_ = nullptr;
}

OpenObjects::Numbers OpenObjects::Count() const {
  MutexLock lock(mutex_);
  Numbers numbers{entries_.size(), 0, passthrough_opens_};
  for (const auto& [number, entry] : entries_) {
    if (entry.opened.backing_id != 0) ++numbers.passed_through;
  }
  return numbers;
}

}  // namespace vitrine::fusefs
