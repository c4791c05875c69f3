// Compaction: what still lives in slabs that are nearly empty moves into the
// open one, so that their memory comes back.
//
// A move is an eviction that ends well: the slot is marked, the pins are looked
// at, and what nobody has pinned gets a new place.  Between the mark and the
// new place readers wait, for microseconds; afterwards they find the new place.
#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "store/table/object_table.h"

namespace vitrine::store {
namespace {

// Under one hold of the mutex, and while readers of these wait.
constexpr size_t kMovedPerBatch = 256;
constexpr uint64_t kMovedBytesPerBatch = 256 << 10;

}  // namespace

bool ObjectTable::WantsCompaction() const {
  MutexLock lock(mutex_);
  return slabs_.WantsCompaction();
}

ObjectTable::Compaction ObjectTable::CompactBatch() {
  MutexLock lock(mutex_);
  Slab* const slab = slabs_.NextSparse();
  return slab != nullptr ? MoveOut(slab) : Compaction{};
}

ObjectTable::Compaction ObjectTable::MoveOut(Slab* slab) {
  // Whoever reads it through the mount goes on at the old place.
  if (slab->shared.use_count() > 0) return {};
  const std::vector<ObjectRef> live = LiveIn(*slab, kMovedPerBatch, true);
  for (const ObjectRef& object : live)
    directory_.index().MarkEvicting(object->slot);
  const auto pins = FindPinsOf(live);
  std::vector<ObjectRef> free;
  for (const ObjectRef& object : live) {
    if (!pins.contains(directory_.index().PinOf(object->slot)))
      free.push_back(object);
  }
  auto places = CopyOut(*slab, free);
  if (!places) {
    spdlog::warn("compaction: {}", places.error().ToString());
    free.clear();
    places = std::vector<ObjectInfo>();
  }
  for (size_t i = 0; i < places->size(); ++i) {
    MoveTo(free[i].get(), (*places)[i]);
  }
  for (const ObjectRef& object : live) directory_.index().Unmark(object->slot);
  // Others first, next time.
  if (free.empty()) slab->Rotate(kMovedPerBatch);
  Compaction done{.moved = places->size()};
  if (places->empty() && !free.empty()) done.needed_bytes = free[0]->size_bytes;
  if (slab->live() == 0) done.dropped = slabs_.Drop(slab);
  return done;
}

Result<std::vector<ObjectInfo>> ObjectTable::CopyOut(
    const Slab& slab, std::span<const ObjectRef> objects) {
  std::vector<ObjectInfo> places;
  if (objects.empty() || slabs_.open() == nullptr) return places;
  auto fd = segments_->OpenFresh(slab.segment(), O_RDONLY);
  if (!fd) return fd.error();
  auto memory = Mapping::Map(fd->get(), slab.size_bytes(), PROT_READ);
  if (!memory) return memory.error();
  places.reserve(objects.size());
  const uint64_t end_bytes = slabs_.open()->end_bytes();
  for (const ObjectRef& object : objects) {
    ObjectInfo info = object->Info();
    if (!slabs_.open()->HasRoom(info.size_bytes) ||
        slabs_.open()->end_bytes() - end_bytes >= kMovedBytesPerBatch) {
      break;
    }
    info.offset_bytes = slabs_.open()->Place(
        {memory->data() + info.offset_bytes, info.size_bytes});
    info.slab = slabs_.open()->segment();
    places.push_back(std::move(info));
  }
  if (places.empty()) return places;
  if (Status ok = log_.RecordMoved(places); !ok) {
    slabs_.open()->Rewind(end_bytes);  // Nobody has been told of these places.
    return ok.error();
  }
  return places;
}

void ObjectTable::MoveTo(ObjectRecord* object, const ObjectInfo& place) {
  directory_.index().Move(object->slot, place.slab, place.offset_bytes);
  if (object->hold) CountHold(*object, false);
  slabs_.Remove(*object);
  object->slab = slabs_.open();
  slabs_.Add(*object);
  object->offset_bytes = static_cast<uint32_t>(place.offset_bytes);
  if (object->hold) CountHold(*object, true);
  ++moved_objects_;
  log_.Tell({ObjectEventKind::kMoved, place, place.id});
}

}  // namespace vitrine::store
