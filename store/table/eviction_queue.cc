#include "store/table/eviction_queue.h"

namespace vitrine::store {

void EvictionQueue::Add(EvictionEntry* entry, uint64_t bytes) {
  if (entry->known()) return;
  entry->added_as = ++added_;
  policy_->Add(entry);
  bytes_ += bytes;
}

void EvictionQueue::Remove(EvictionEntry* entry, uint64_t bytes) {
  entry->leaving = false;
  if (!entry->known()) return;
  policy_->Remove(entry);
  bytes_ -= bytes;
}

void EvictionQueue::Touch(EvictionEntry* entry) {
  entry->leaving = false;
  policy_->Touch(entry);
}

}  // namespace vitrine::store
