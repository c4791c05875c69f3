#include "store/table/slabs.h"

#include <cassert>
#include <utility>
#include <vector>

namespace vitrine::store {

Slab* Slabs::Find(uint64_t segment) const {
  const auto found = slabs_.find(segment);
  return found != slabs_.end() ? found->second.get() : nullptr;
}

DroppedSegment Slabs::Open(std::unique_ptr<Slab> slab) {
  DroppedSegment dropped = Close();
  open_ = slab.get();
  idle_end_bytes_ = UINT64_MAX;  // It was never looked at.
  bytes_ += slab->size_bytes();
  slabs_.emplace(slab->segment(), std::move(slab));
  return dropped;
}

DroppedSegment Slabs::Close() {
  Slab* const slab = std::exchange(open_, nullptr);
  if (slab == nullptr) return {};
  slab->Close();
  if (slab->live() == 0) return Drop(slab);  // Invariant (1).
  UpdateEvictable(slab);
  NoteIfSparse(*slab);
  return {};
}

DroppedSegment Slabs::CloseIdle() {
  if (open_ == nullptr || open_->live() > 0) return {};
  const bool idle = open_->end_bytes() == idle_end_bytes_;
  idle_end_bytes_ = open_->end_bytes();
  return idle ? Close() : DroppedSegment{};
}

DroppedSegment Slabs::Leave(Slab* slab) {
  if (slab->live() == 0 && !slab->open()) return Drop(slab);
  NoteIfSparse(*slab);
  return {};
}

DroppedSegment Slabs::Drop(Slab* slab) {
  assert(slab->live() == 0 && slab != open_);  // Invariant (1).
  evictable_->Remove(&slab->eviction, slab->size_bytes());
  DroppedSegment dropped = residency_->Take(slab);
  bytes_ -= slab->size_bytes();
  sparse_.erase(dropped.number);
  slabs_.erase(dropped.number);
  return dropped;
}

void Slabs::Add(const ObjectRecord& object) {
  object.slab->Add(object.slot, object.size_bytes);
  if (object.slab->open()) {
    object.slab->CountPlaced(object.uid, object.size_bytes);
  }
  ++objects_;
}

void Slabs::Remove(const ObjectRecord& object) {
  object.slab->Remove(object.size_bytes);
  --objects_;
}

void Slabs::CountHold(Slab* slab, bool hold) {
  slab->held += hold ? 1 : ~size_t{0};  // Modulo 2^64: plus or minus.
  UpdateEvictable(slab);
}

// Invariant (2).
void Slabs::UpdateEvictable(Slab* slab) {
  if (!slab->open() && slab->held == 0) {
    evictable_->Add(&slab->eviction, slab->size_bytes());
  } else {
    evictable_->Remove(&slab->eviction, slab->size_bytes());
  }
}

void Slabs::NoteIfSparse(const Slab& slab) {
  if (slab.sparse()) sparse_.insert(slab.segment());
}

// Not for moving one slab's objects into a new slab.
bool Slabs::WantsCompaction() const {
  if (sparse_.size() > 1) return true;
  return !sparse_.empty() && open_ != nullptr &&
         open_->HasRoom(open_->size_bytes() / 4);
}

Slab* Slabs::NextSparse() {
  auto next = sparse_.upper_bound(last_compacted_);
  if (next == sparse_.end()) next = sparse_.begin();
  if (next == sparse_.end()) return nullptr;
  last_compacted_ = *next;
  return Find(last_compacted_);
}

Slab* Slabs::Restore(uint64_t segment, uint64_t size_bytes, uid_t owner) {
  auto slab = std::make_unique<Slab>(segment, size_bytes);
  slab->eviction.owner = owner;
  bytes_ += size_bytes;
  UpdateEvictable(slab.get());
  return slabs_.emplace(segment, std::move(slab)).first->second.get();
}

void Slabs::EndRestore() {
  std::vector<Slab*> empty;
  for (const auto& [segment, slab] : slabs_) {
    if (slab->live() == 0) empty.push_back(slab.get());
    NoteIfSparse(*slab);
  }
  for (Slab* slab : empty) (void)Drop(slab);
}

}  // namespace vitrine::store
