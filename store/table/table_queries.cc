#include "store/table/table_queries.h"

#include <algorithm>
#include <unordered_set>

#include "store/table/object_errors.h"

namespace vitrine::store {

ObjectInfo TableQueries::Info(const ObjectRef& object) {
  MutexLock lock(table_->mutex);
  table_->residency.RefreshExtent(object.get());
  return object->Info();
}

std::shared_ptr<const Metadata> TableQueries::GetMetadata(
    const ObjectRef& object) const {
  MutexLock lock(table_->mutex);
  const MetadataRef& metadata = object->shared_metadata();
  return metadata != nullptr ? metadata : NoMetadata();
}

bool TableQueries::InUse(const ObjectRef& object) {
  MutexLock lock(table_->mutex);
  if (object->state == ObjectState::kGone) return false;
  if (object->slot != kNoSlot &&
      !table_->clients
           ->FindPins({table_->directory.index().PinOf(object->slot)})
           .empty()) {
    return true;
  }
  return table_->residency.IsOpen(object.get());
}

std::vector<ListedObject> TableQueries::Describe(
    std::span<const ObjectRef> objects, ObjectState state) {
  MutexLock lock(table_->mutex);
  std::unordered_set<uint64_t> wanted;
  wanted.reserve(objects.size());
  for (const ObjectRef& object : objects) {
    if (object->slot != kNoSlot)
      wanted.insert(table_->directory.index().PinOf(object->slot));
  }
  const auto pins = table_->clients->FindPins(wanted);
  std::vector<ListedObject> listed;
  listed.reserve(objects.size());
  for (const ObjectRef& object : objects) {
    if (object->state != state) continue;
    table_->residency.RefreshExtent(object.get());
    const bool pinned =
        object->slot != kNoSlot &&
        pins.contains(table_->directory.index().PinOf(object->slot));
    listed.push_back(
        {object->Info(), pinned || table_->residency.IsOpen(object.get())});
  }
  return listed;
}

// By number.  Sorting what the numbers lead to would be a walk through all of
// the memory.
std::vector<ObjectRef> TableQueries::List(ObjectState state) const {
  std::vector<std::pair<uint64_t, ObjectRef>> found;
  {
    MutexLock lock(table_->mutex);
    found = table_->directory.List(state);
  }
  std::sort(found.begin(), found.end());
  std::vector<ObjectRef> objects;
  objects.reserve(found.size());
  for (auto& [number, object] : found) objects.push_back(std::move(object));
  return objects;
}

bool TableQueries::ReadSlots(uint64_t* slot, size_t most,
                             std::vector<ObjectInfo>* infos) const {
  MutexLock lock(table_->mutex);
  const auto& slots = table_->directory.slots();
  const uint64_t end = std::min<uint64_t>(*slot + most, slots.size());
  for (; *slot < end; ++*slot) {
    const ObjectRef& object = slots[*slot];
    if (object != nullptr) infos->push_back(object->Info());
  }
  return end < slots.size();
}

std::vector<bool> TableQueries::AreAlive(
    std::span<const KnownObject> objects) const {
  MutexLock lock(table_->mutex);
  return table_->directory.AreAlive(objects);
}

TableQueries::Numbers TableQueries::Count() const {
  MutexLock lock(table_->mutex);
  return {.sealed_objects = table_->directory.sealed_objects(),
          .sealed_bytes = table_->directory.sealed_bytes(),
          .held_objects = table_->held_objects,
          .held_bytes = table_->held_bytes,
          .unsealed_objects = table_->directory.unsealed_objects(),
          .unsealed_bytes = table_->directory.unsealed_bytes(),
          .blanks = table_->blanks.size(),
          .blank_bytes = table_->blank_bytes,
          .evicted_objects = table_->evicted_objects,
          .evicted_bytes = table_->evicted_bytes,
          .evictable_segments = table_->evictable.size(),
          .slabs = table_->slabs.size(),
          .slab_bytes = table_->slabs.bytes(),
          .slab_objects = table_->slabs.objects(),
          .moved_objects = table_->moved_objects,
          .elsewhere_objects = table_->directory.elsewhere_objects(),
          .elsewhere_bytes = table_->directory.elsewhere_bytes(),
          .returned_objects = table_->returned_objects,
          .index_bytes = table_->directory.index().allocated_bytes(),
          .journal_bytes = table_->log.journal_bytes()};
}

std::pair<size_t, size_t> TableQueries::CountObjects() const {
  MutexLock lock(table_->mutex);
  return {table_->directory.sealed_objects(),
          table_->directory.unsealed_objects()};
}

TableQueries::Victims TableQueries::CountEvictable() const {
  MutexLock lock(table_->mutex);
  return {.segments = table_->evictable.size(),
          .bytes = table_->evictable.bytes()};
}

uint64_t TableQueries::SumEvictableCosts() const {
  MutexLock lock(table_->mutex);
  uint64_t bytes = 0;
  table_->evictable.Visit([&](EvictionEntry* entry) REQUIRES(table_->mutex) {
    if (entry->object != nullptr) {
      bytes += entry->object->cost_bytes();
      return true;
    }
    const Slab& slab = *entry->slab;
    bytes += slab.size_bytes();
    for (const ObjectRef& object : table_->LiveIn(slab, slab.live(), true)) {
      bytes += object->overhead_bytes();
    }
    return true;
  });
  return bytes;
}

Result<UniqueFd> TableQueries::OpenIndex() const {
  MutexLock lock(table_->mutex);
  return table_->directory.index().OpenReadOnly();
}

}  // namespace vitrine::store
