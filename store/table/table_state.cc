#include "store/table/table_state.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "schema/base/wall_clock.h"

namespace vitrine::store {
namespace {

// Numbers are not reused even by a store that starts from nothing: the time of
// the start leaves room for 16 million objects a second.
uint64_t FirstNumber() {
  constexpr int64_t kEpochSeconds = 1'700'000'000;
  const int64_t seconds = NowNs() / 1'000'000'000 - kEpochSeconds;
  return static_cast<uint64_t>(std::max<int64_t>(seconds, 1)) << 24;
}

}  // namespace

TableState::TableState(SegmentDir* segment_dir, ClientRegistry* registry,
                       Accounts* account_book, IndexWriter index,
                       Journal journal, std::unique_ptr<EvictionPolicy> policy)
    : segments(segment_dir),
      clients(registry),
      accounts(account_book),
      directory(std::move(index)),
      log(std::move(journal)),
      evictable(std::move(policy)),
      residency(segment_dir),
      slabs(&residency, &evictable),
      next_number(FirstNumber()) {}

uint64_t TableState::NewNumber() {
  MutexLock lock(mutex);
  return next_number++;
}

void TableState::EnterMemory(const ObjectRecord& object) {
  if (object.slab != nullptr) {
    slabs.Add(object);
    return;
  }
  object.own->eviction.owner = object.uid;
  if (!object.hold) {
    evictable.Add(&object.own->eviction, object.cost_bytes());
  }
}

void TableState::LeaveMemory(ObjectRecord* object) {
  if (object->slab != nullptr) {
    slabs.Remove(*object);
  } else {
    evictable.Remove(&object->own->eviction, object->cost_bytes());
  }
}

Status TableState::Publish(const ObjectRef& object) {
  if (Status ok = directory.Publish(object); !ok) return ok;
  if (object->hold) CountHold(*object, true);
  EnterMemory(*object);
  return Status();
}

Status TableState::PublishElsewhere(const ObjectRef& object) {
  object->elsewhere = false;  // Until its slot says so.
  if (Status ok = directory.Publish(object); !ok) return ok;
  directory.index().MarkEvicting(object->slot);
  directory.SendElsewhere(object.get());
  if (object->hold) CountHold(*object, true);
  return Status();
}

void TableState::Unpublish(ObjectRecord* object) {
  if (object->hold) CountHold(*object, false);
  if (!object->elsewhere) LeaveMemory(object);
  directory.Unpublish(object);
}

// A reader may have pinned pages, for a write(2) from his mapping that ends
// later.
DroppedSegment TableState::TakeSegment(ObjectRecord* object, uint64_t retired) {
  if (object->state == ObjectState::kSealed && object->readable_by_others() &&
      clients->HadOthers(object->uid, object->own->sealed_after)) {
    object->own->recyclable = false;
  }
  return residency.Take(object, retired);
}

DroppedSegment TableState::Drop(const ObjectRef& object, ObjectEventKind why) {
  if (object->state == ObjectState::kSealed) log.RecordRemoved({&object, 1});
  return DropRecorded(object, why);
}

DroppedSegment TableState::DropRecorded(const ObjectRef& object,
                                        ObjectEventKind why) {
  const ObjectRef keep_alive = object;
  const Reckoning reckoning(accounts, *keep_alive);
  DroppedSegment dropped;
  if (object->has_own_segment()) {
    dropped = TakeSegment(object.get(), object->number);
  }
  if (object->state == ObjectState::kSealed) {
    Unpublish(object.get());
  } else {
    directory.RemoveUnsealed(object->id.text());
  }
  object->state = ObjectState::kGone;
  object->elsewhere = false;
  log.Notify(why, *object);
  if (object->slab != nullptr) {
    dropped = slabs.Leave(std::exchange(object->slab, nullptr));
  }
  dropped.charged_bytes += object->overhead_bytes();
  return dropped;
}

DroppedSegment TableState::SendElsewhere(const ObjectRef& object) {
  assert(object->state == ObjectState::kSealed && !object->elsewhere);
  assert(object->copied && !object->hold);
  const Reckoning reckoning(accounts, *object);
  DroppedSegment dropped;
  // Not under its own number: the object may come back under that.
  if (object->has_own_segment()) {
    dropped = TakeSegment(object.get(), next_number++);
  }
  LeaveMemory(object.get());
  directory.SendElsewhere(object.get());
  if (object->slab != nullptr) {
    dropped = slabs.Leave(std::exchange(object->slab, nullptr));
  }
  log.Notify(ObjectEventKind::kMoved, *object);
  return dropped;
}

void TableState::Return(const ObjectRef& object, Slab* slab,
                        uint64_t offset_bytes, PendingWakes* wakes) {
  assert(object->state == ObjectState::kSealed && object->elsewhere);
  // Also beyond the quota: who wants it is not who pays for it.
  const Reckoning reckoning(accounts, *object);
  if (object->hold) CountHold(*object, false);
  object->slab = slab;
  object->offset_bytes = static_cast<uint32_t>(offset_bytes);
  directory.Return(object.get());
  EnterMemory(*object);
  if (object->hold) CountHold(*object, true);
  ++returned_objects;
  log.Notify(ObjectEventKind::kMoved, *object);
  NoteWaiters({&object, 1}, wakes);
}

void TableState::NoteWaiters(std::span<const ObjectRef> published,
                             PendingWakes* wakes) {
  const uint64_t awaited = clients->AwaitedGroups();
  const auto moved = directory.index().TakeMovedFutexes();
  if (awaited == 0) return;
  for (const auto* futex : moved) wakes->Add(futex);
  for (const ObjectRef& object : published) {
    const auto* futex = directory.index().AwaitedFutex(object->slot, awaited);
    if (futex != nullptr) wakes->Add(futex);
  }
}

void TableState::CountHold(const ObjectRecord& object, bool hold) {
  const uint64_t one = hold ? 1 : ~uint64_t{0};  // Modulo 2^64: plus or minus.
  held_objects += one;
  held_bytes += one * object.cost_bytes();
  if (object.slab != nullptr) slabs.CountHold(object.slab, hold);
}

void TableState::Touch(ObjectRecord* object) {
  object->NoteUse(NowNs());
  if (EvictionEntry* const entry = object->eviction()) evictable.Touch(entry);
  if (object->uses_changed) return;
  object->uses_changed = true;
  used.push_back(directory.InSlot(object->slot));
}

std::unordered_set<uint64_t> TableState::FindPinsOf(
    std::span<const ObjectRef> objects) const {
  std::unordered_set<uint64_t> wanted;
  for (const ObjectRef& object : objects) {
    wanted.insert(directory.index().PinOf(object->slot));
  }
  return clients->FindPins(wanted);
}

std::vector<ObjectRef> TableState::LiveIn(const Slab& slab, size_t most,
                                          bool with_held) {
  std::vector<ObjectRef> live;
  for (const uint32_t slot : slab.slots()) {
    if (live.size() == most) break;
    const ObjectRef& object = directory.slots()[slot];
    if (object == nullptr || object->slab != &slab) continue;
    if (object->hold && !with_held) continue;
    live.push_back(object);
  }
  return live;
}

}  // namespace vitrine::store
