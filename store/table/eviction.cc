#include "store/table/eviction.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace vitrine::store {
namespace {

// Under one hold of the lock.  Each segment takes a descriptor.
constexpr uint32_t kSlotsAtOnce = 4096;
constexpr size_t kSegmentsAtOnce = 64;

// Victims looked at under one hold of the mutex.
constexpr size_t kVictimsPerBatch = 32;
constexpr size_t kSlabVictimsPerBatch = 256;
// What is carried goes together.
constexpr size_t kCarriedSlabsPerBatch = 8;

}  // namespace

// --- begin ---

Eviction::Victim Eviction::MakeVictim(const EvictionEntry& entry) {
  if (const ObjectRecord* const object = entry.object) {
    return {.segment = object->number,
            .bytes = object->cost_bytes(),
            .objects = {table_->directory.InSlot(object->slot)}};
  }
  Slab* const slab = entry.slab;
  return {.segment = slab->segment(),
          .slab = true,
          .bytes = slab->size_bytes(),
          .objects = table_->LiveIn(*slab, kSlabVictimsPerBatch, false)};
}

Slab* Eviction::SlabOf(const Victim& victim) {
  return victim.slab ? table_->slabs.Find(victim.segment) : nullptr;
}

EvictionEntry* Eviction::EntryOf(const Victim& victim) {
  if (!victim.slab) return &victim.objects[0]->own->eviction;
  Slab* const slab = SlabOf(victim);
  return slab != nullptr ? &slab->eviction : nullptr;
}

Result<std::shared_ptr<SegmentFile>> Eviction::Share(const Victim& victim) {
  if (Slab* const slab = SlabOf(victim)) return table_->residency.Share(slab);
  return table_->residency.Share(victim.objects[0].get());
}

bool Eviction::IsOpened(const Victim& victim) {
  const Slab* const slab = SlabOf(victim);
  return (slab != nullptr ? slab->shared : victim.objects[0]->own->shared)
             .use_count() > 0;
}

struct Eviction::Choice {
  const uint64_t bytes;  // As many are wanted.
  const size_t most_slabs;
  const bool only_copied;
  bool spares_young;
  std::vector<Victim>* const victims;
  size_t slabs = 0;
  uint64_t chosen_bytes = 0;
  bool complete = false;
};

bool Eviction::Choose(EvictionEntry* entry, Choice* choice) {
  if (choice->spares_young && table_->evictable.IsYoung(*entry)) return true;
  Victim victim = MakeVictim(*entry);
  if (choice->only_copied && !IsCopied(victim)) return true;
  entry->leaving = true;
  choice->chosen_bytes += victim.bytes;
  choice->slabs += victim.slab ? 1 : 0;
  choice->victims->push_back(std::move(victim));
  choice->complete = choice->slabs >= choice->most_slabs ||
                     choice->victims->size() >= kVictimsPerBatch ||
                     choice->chosen_bytes >= choice->bytes;
  return !choice->complete;
}

bool Eviction::IsCopied(const Victim& victim) {
  return std::all_of(victim.objects.begin(), victim.objects.end(),
                     [](const ObjectRef& object) { return object->copied; });
}

void Eviction::ChooseOldest(Choice* choice) {
  table_->evictable.Visit([this, choice](EvictionEntry* entry) REQUIRES(
                              table_->mutex) { return Choose(entry, choice); });
}

void Eviction::ChooseByShare(const Excesses& over, Choice* choice) {
  for (const auto& [uid, excess_bytes] : over) {
    if (choice->complete) return;
    const uint64_t enough = choice->chosen_bytes + excess_bytes;
    table_->evictable.VisitOf(
        uid, [&](EvictionEntry* entry) REQUIRES(table_->mutex) {
          return Choose(entry, choice) && choice->chosen_bytes < enough;
        });
  }
}

size_t Eviction::SumSizes(const Excesses& over) const {
  size_t sum = 0;
  for (const auto& excess : over) sum += table_->evictable.SizeOf(excess.uid);
  return sum;
}

Eviction::Departure Eviction::Begin(uint64_t bytes, Fate fate,
                                    const Wishes& wishes) {
  const auto& [spares_young, only_copied, over] = wishes;
  MutexLock lock(table_->mutex);
  Departure departure{.fate = fate, .bytes = bytes};
  Batch& batch = departure.so_far;
  if (table_->evictable.size() == 0) {
    DroppedSegment closed = table_->slabs.Close();
    batch.dropped_bytes += closed.charged_bytes;
    if (closed.number != 0) batch.dropped.push_back(std::move(closed));
  }
  batch.spared = spares_young ? table_->evictable.young() : 0;
  const size_t most_slabs =
      fate == Fate::kElsewhere ? kCarriedSlabsPerBatch : 1;
  Choice choice{bytes, most_slabs, only_copied, spares_young,
                &departure.victims};
  batch.evictable = SumSizes(over);
  batch.by_share = batch.evictable > 0;
  if (batch.by_share) {
    ChooseByShare(over, &choice);
    if (departure.victims.empty()) {  // They have nothing but young ones.
      choice.spares_young = false;
      batch.spared = 0;
      ChooseByShare(over, &choice);
    }
  } else {
    batch.evictable = table_->evictable.size();
    ChooseOldest(&choice);
  }
  if (fate == Fate::kElsewhere) {
    LeaveOutUsed(&departure);
    std::erase_if(departure.victims,
                  [this](Victim& victim)
                      REQUIRES(table_->mutex) { return !IsReadable(&victim); });
  }
  return departure;
}

void Eviction::LeaveOutUsed(Departure* departure) {
  const auto pins = FindPins(departure->victims);
  Batch& batch = departure->so_far;
  std::erase_if(departure->victims,
                [&](const Victim& victim) REQUIRES(table_->mutex) {
                  const bool opened = IsOpened(victim);
                  if (!opened && !AnyPinned(victim.objects, pins)) return false;
                  ++batch.examined;
                  if (opened) ++batch.opened;
                  table_->evictable.Touch(EntryOf(victim));
                  return true;
                });
}

bool Eviction::IsReadable(Victim* victim) {
  const Status prepared = PrepareCarrying(victim);
  if (prepared) return true;
  spdlog::error("eviction: {}", prepared.error().ToString());
  table_->evictable.Touch(EntryOf(*victim));  // Others are tried first.
  return false;
}

Status Eviction::PrepareCarrying(Victim* victim) {
  for (const ObjectRef& object : victim->objects) {
    victim->contents.push_back(object->Journaled());
  }
  auto file = Share(*victim);
  if (!file) return file.error();
  victim->file = *std::move(file);
  return Status();
}

Eviction::Departure Eviction::InMemory(uint32_t* slot) {
  MutexLock lock(table_->mutex);
  Departure departure{.fate = Fate::kElsewhere};
  const auto& slots = table_->directory.slots();
  const size_t end = std::min<size_t>(slots.size(), *slot + kSlotsAtOnce);
  for (; *slot < end && departure.victims.size() < kSegmentsAtOnce; ++*slot) {
    AddInMemory(slots[*slot], &departure.victims);
  }
  if (*slot == slots.size()) *slot = kNoSlot;
  for (Victim& victim : departure.victims) {
    const Status readable = PrepareCarrying(&victim);
    if (!readable) departure.unreadable = readable;
  }
  return departure;
}

// Objects of one slab are mostly neighbours.
void Eviction::AddInMemory(const ObjectRef& object,
                           std::vector<Victim>* victims) {
  if (object == nullptr || object->elsewhere) return;
  const uint64_t segment = object->segment();
  if (victims->empty() || victims->back().segment != segment) {
    victims->push_back({.segment = segment, .slab = object->slab != nullptr});
  }
  victims->back().objects.push_back(object);
}

// --- finish ---

// What was carried in vain is not carried again: sealed bytes never change.
void Eviction::NoteCopies(const Victim& victim, Batch* batch) {
  if (!victim.carried) return;
  for (const ObjectRef& object : victim.objects) {
    if (object->state == ObjectState::kGone && !object->copied) {
      batch->deleted.push_back(object->number);
    }
    object->copied = true;
  }
}

void Eviction::KeepLeaving(Victim* victim, Batch* batch) {
  victim->file.reset();
  EvictionEntry* const entry = EntryOf(*victim);
  if (entry == nullptr || !std::exchange(entry->leaving, false)) {
    ++batch->examined;
    ++batch->taken_back;
    if (Slab* const slab = SlabOf(*victim)) slab->going = false;
    victim->objects.clear();
    return;
  }
  // Deletion and compaction take objects out of their slab.
  std::erase_if(victim->objects, [slab = SlabOf(*victim)](const auto& object) {
    return object->slab != slab;
  });
}

void Eviction::Mark(const std::vector<Victim>& victims) {
  for (const Victim& victim : victims) {
    for (const ObjectRef& object : victim.objects) {
      table_->directory.index().MarkEvicting(object->slot);
    }
  }
}

std::unordered_set<uint64_t> Eviction::FindPins(
    const std::vector<Victim>& victims) const {
  std::vector<ObjectRef> objects;
  for (const Victim& victim : victims) {
    objects.insert(objects.end(), victim.objects.begin(), victim.objects.end());
  }
  return table_->FindPinsOf(objects);
}

bool Eviction::AnyPinned(const std::vector<ObjectRef>& objects,
                         const std::unordered_set<uint64_t>& pins) const {
  return std::any_of(
      objects.begin(), objects.end(),
      [&](const ObjectRef& object) REQUIRES(table_->mutex) {
        return pins.contains(table_->directory.index().PinOf(object->slot));
      });
}

// All of it is asked for once, before the first of its objects go, since a slab
// goes as a whole.
bool Eviction::SlabMayGo(Slab* slab) {
  if (slab->going) return true;
  slab->going =
      table_->FindPinsOf(table_->LiveIn(*slab, slab->live(), true)).empty();
  return slab->going;
}

// The description that says so keeps its lease while the caller has it.
std::shared_ptr<SegmentFile> Eviction::Lease(const Victim& victim,
                                             Batch* batch) {
  if (IsOpened(victim)) {
    ++batch->opened;
    return nullptr;
  }
  auto file = Share(victim);
  if (!file) {
    spdlog::error("eviction: {}", file.error().ToString());
    return nullptr;
  }
  auto alone = (*file)->LeaseAlone();
  if (alone && *alone) return *file;
  batch->busy.push_back(victim.segment);
  return nullptr;
}

// A departure that no restart would know of does not happen.
bool Eviction::RecordEnd(const Victim& victim, Fate fate) {
  if (fate == Fate::kGone) {
    table_->log.RecordRemoved(victim.objects);
    return true;
  }
  const Status recorded = table_->log.RecordDeparted(victim.objects);
  if (!recorded) {
    spdlog::error("eviction: journal: {}", recorded.error().ToString());
  }
  return recorded.has_value();
}

DroppedSegment Eviction::Remove(const ObjectRef& object, Fate fate) {
  if (fate == Fate::kElsewhere) return table_->SendElsewhere(object);
  return table_->DropRecorded(object, ObjectEventKind::kEvicted);
}

bool Eviction::Evict(const Victim& victim,
                     const std::unordered_set<uint64_t>& pins, Fate fate,
                     Batch* batch) {
  if (AnyPinned(victim.objects, pins)) return false;
  Slab* const slab = SlabOf(victim);
  if (slab != nullptr && !SlabMayGo(slab)) return false;
  const auto file = Lease(victim, batch);
  if (file == nullptr) return false;
  if (!RecordEnd(victim, fate)) return false;
  for (const ObjectRef& object : victim.objects) {
    ++batch->evicted;
    ++table_->evicted_objects;
    table_->evicted_bytes += object->cost_bytes();
    DroppedSegment dropped = Remove(object, fate);
    batch->dropped_bytes += dropped.charged_bytes;
    batch->dropped.push_back(std::move(dropped));
  }
  return true;
}

void Eviction::TakeBack(const Victim& victim, bool examined) {
  for (const ObjectRef& object : victim.objects) {
    table_->directory.index().Unmark(object->slot);
  }
  if (!examined) return;
  if (Slab* const slab = SlabOf(victim)) slab->going = false;
  if (EvictionEntry* entry = EntryOf(victim)) table_->evictable.Touch(entry);
}

Eviction::Batch Eviction::Finish(Departure departure) {
  MutexLock lock(table_->mutex);
  Batch batch = std::move(departure.so_far);
  for (Victim& victim : departure.victims) {
    NoteCopies(victim, &batch);
    KeepLeaving(&victim, &batch);
  }
  Mark(departure.victims);
  const auto pins = FindPins(departure.victims);
  for (const Victim& victim : departure.victims) {
    if (victim.objects.empty()) continue;
    const bool enough = batch.dropped_bytes >= departure.bytes;
    if (!enough) ++batch.examined;
    // A tier that took nothing of it takes nothing of others, either.
    const bool stays = departure.fate == Fate::kElsewhere && !victim.carried;
    if (enough || stays || !Evict(victim, pins, departure.fate, &batch)) {
      TakeBack(victim, !enough && !stays);
    }
  }
  return batch;
}

}  // namespace vitrine::store
