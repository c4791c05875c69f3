// Eviction, as the object table does it: see Evictor for when and how much.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <span>
#include <unordered_set>
#include <utility>
#include <vector>

#include "store/table/object_table.h"

namespace vitrine::store {
namespace {

// Victims looked at under one hold of the mutex.
constexpr size_t kVictimsPerBatch = 32;
constexpr size_t kSlabVictimsPerBatch = 256;

}  // namespace

std::vector<ObjectTable::Victim> ObjectTable::MarkVictims(uint64_t bytes) {
  std::vector<Victim> victims;
  uint64_t marked_bytes = 0;
  evictable_.Visit([&](EvictionEntry* entry) REQUIRES(mutex_) {
    Victim& victim = victims.emplace_back(MakeVictim(entry));
    marked_bytes += victim.bytes;
    return victim.slab == nullptr && victims.size() < kVictimsPerBatch &&
           marked_bytes < bytes;
  });
  for (const Victim& victim : victims) {
    for (const ObjectRef& object : victim.objects) {
      directory_.index().MarkEvicting(object->slot);
    }
  }
  return victims;
}

ObjectTable::Victim ObjectTable::MakeVictim(EvictionEntry* entry) {
  if (const ObjectRecord* const object = entry->object) {
    return {.entry = entry,
            .segment = object->number,
            .bytes = object->cost_bytes(),
            .objects = {directory_.InSlot(object->slot)}};
  }
  Slab* const slab = entry->slab;
  return {.entry = entry,
          .segment = slab->segment(),
          .bytes = slab->size_bytes(),
          .slab = slab,
          .objects = LiveIn(*slab, kSlabVictimsPerBatch, false)};
}

// The description that says so keeps its lease while the caller has it.
std::shared_ptr<SegmentFile> ObjectTable::LeaseVictim(const Victim& victim,
                                                      Batch* batch) {
  const auto& shared = victim.slab != nullptr ? victim.slab->shared
                                              : victim.objects[0]->own->shared;
  if (shared.use_count() > 0) {
    ++batch->opened;
    return nullptr;
  }
  auto file = victim.slab != nullptr
                  ? residency_.Share(victim.slab)
                  : residency_.Share(victim.objects[0].get());
  if (!file) {
    spdlog::error("eviction: {}", file.error().ToString());
    return nullptr;
  }
  auto alone = (*file)->LeaseAlone();
  if (alone && *alone) return *file;
  batch->busy.push_back(victim.segment);
  return nullptr;
}

bool ObjectTable::AnyPinned(const std::vector<ObjectRef>& objects,
                            const std::unordered_set<uint64_t>& pins) const {
  return std::any_of(
      objects.begin(), objects.end(),
      [&](const ObjectRef& object) REQUIRES(mutex_) {
        return pins.contains(directory_.index().PinOf(object->slot));
      });
}

std::unordered_set<uint64_t> ObjectTable::FindPinsOf(
    std::span<const ObjectRef> objects) const {
  std::unordered_set<uint64_t> wanted;
  for (const ObjectRef& object : objects) {
    wanted.insert(directory_.index().PinOf(object->slot));
  }
  return clients_->FindPins(wanted);
}

bool ObjectTable::IsPinned(const Slab& slab) {
  return !FindPinsOf(LiveIn(slab, slab.live(), true)).empty();
}

bool ObjectTable::EvictVictim(const Victim& victim,
                              const std::unordered_set<uint64_t>& pins,
                              Batch* batch) {
  if (AnyPinned(victim.objects, pins)) return false;
  if (victim.slab != nullptr && !victim.slab->going) {
    if (IsPinned(*victim.slab)) return false;
    victim.slab->going = true;
  }
  const auto file = LeaseVictim(victim, batch);
  if (file == nullptr) return false;
  log_.RecordRemoved(victim.objects);
  for (const ObjectRef& object : victim.objects) {
    ++batch->evicted;
    ++evicted_objects_;
    evicted_bytes_ += object->cost_bytes();
    DroppedSegment dropped = DropRecorded(object, ObjectEventKind::kEvicted);
    batch->dropped_bytes += dropped.charged_bytes;
    batch->dropped.push_back(std::move(dropped));
  }
  return !victim.objects.empty();
}

ObjectTable::Batch ObjectTable::EvictBatch(uint64_t bytes) {
  MutexLock lock(mutex_);
  Batch batch;
  if (evictable_.size() == 0) {
    DroppedSegment empty = slabs_.Close();
    batch.dropped_bytes += empty.charged_bytes;
    if (empty.number != 0) batch.dropped.push_back(std::move(empty));
  }
  batch.evictable = evictable_.size();
  const std::vector<Victim> victims = MarkVictims(bytes);
  std::unordered_set<uint64_t> wanted;
  for (const Victim& victim : victims) {
    for (const ObjectRef& object : victim.objects) {
      wanted.insert(directory_.index().PinOf(object->slot));
    }
  }
  const auto pins = clients_->FindPins(wanted);
  for (const Victim& victim : victims) {
    const bool enough = batch.dropped_bytes >= bytes;
    if (!enough) ++batch.examined;
    const bool evicted = !enough && EvictVictim(victim, pins, &batch);
    for (const ObjectRef& object : victim.objects) {
      if (object->state == ObjectState::kSealed) {
        directory_.index().Unmark(object->slot);
      }
    }
    if (!enough && !evicted && victim.slab != nullptr) {
      victim.slab->going = false;
    }
    // Whoever has it is using it now.
    if (!enough && !evicted) evictable_.Touch(victim.entry);
  }
  return batch;
}

}  // namespace vitrine::store
