#include "fusefs/files/open_objects.h"

#include <utility>

#include "store/accounts/descriptor_shares.h"

namespace vitrine::fusefs {

OpenObjects::OpenObjects(Store* store, Kernel* kernel)
    : store_(store),
      descriptors_(&store->facts().accounts(), store::Resource::kDescriptors,
                   store::ShareDescriptors().files),
      kernel_(kernel) {}

Result<OpenObjects::Opened> OpenObjects::Acquire(const ObjectRef& object,
                                                 uint64_t number,
                                                 const Payer& payer) {
  {
    MutexLock lock(mutex_);
    const auto it = entries_.find(number);
    if (it != entries_.end()) {
      Opener* opener = FindOpener(&it->second, payer);
      if (opener != nullptr) return AddOpen(&it->second, opener);
      if (Status ok = descriptors_.Charge(payer); !ok) return ok.error();
      opener = &it->second.openers.emplace_back(Opener{payer});
      return AddOpen(&it->second, opener);
    }
  }
  // Charged before there is a descriptor.
  if (Status ok = descriptors_.Charge(payer); !ok) return ok.error();
  auto segment = store_->objects().Share(object);
  if (!segment) {
    descriptors_.Release(payer);
    return segment.error();
  }
  const bool in_slab = store_->objects().Info(object).in_slab();
  return AddCharged(number, payer, {*std::move(segment), 0}, in_slab);
}

// Registering is one short ioctl, so it is done under the lock: then no other
// thread can register the same segment meanwhile.
OpenObjects::Opened OpenObjects::AddCharged(uint64_t number, const Payer& payer,
                                            Opened opened, bool in_slab) {
  MutexLock lock(mutex_);
  Entry& entry = entries_[number];
  Opener* opener = FindOpener(&entry, payer);
  if (opener != nullptr) {
    descriptors_.Release(payer);  // Another thread was faster.
  } else {
    opener = &entry.openers.emplace_back(Opener{payer});
  }
  if (entry.opens == 0) {
    entry.opened = std::move(opened);
    if (kernel_ != nullptr && !in_slab) {
      const auto id = kernel_->RegisterBacking(entry.opened.segment->fd());
      // On failure the object is not passed through: slower, but correct.
      if (id) entry.opened.backing_id = *id;
    }
  }
  return AddOpen(&entry, opener);
}

OpenObjects::Opener* OpenObjects::FindOpener(Entry* entry, const Payer& payer) {
  for (Opener& opener : entry->openers) {
    if (opener.payer == payer) return &opener;
  }
  return nullptr;
}

OpenObjects::Opened OpenObjects::AddOpen(Entry* entry, Opener* opener) {
  ++opener->opens;
  ++entry->opens;
  if (entry->opened.backing_id != 0) ++passthrough_opens_;
  return entry->opened;
}

void OpenObjects::RemoveOpen(Entry* entry, const Payer& payer) {
  --entry->opens;
  Opener* const opener = FindOpener(entry, payer);
  if (--opener->opens > 0) return;
  entry->openers.erase(entry->openers.begin() +
                       (opener - entry->openers.data()));
  descriptors_.Release(payer);
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
  if (it->second.patience_in_vain) return false;
  // A file that is being released does not count as a writer any more.
  return it->second.writers <= it->second.closed_writers;
}

void OpenObjects::NotePatienceInVain(uint64_t number) {
  MutexLock lock(mutex_);
  const auto it = entries_.find(number);
  if (it != entries_.end()) it->second.patience_in_vain = true;
}

void OpenObjects::Release(uint64_t number, const Payer& payer, bool closed) {
  Opened dropped;
  MutexLock lock(mutex_);
  const auto it = entries_.find(number);
  if (it == entries_.end()) return;
  if (closed) --it->second.closed_writers;
  RemoveOpen(&it->second, payer);
  if (it->second.opens > 0) return;
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
