#include "store/table/compactor.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <utility>

namespace vitrine::store {
namespace {

// Under one hold of the mutex, and while readers of these wait.
constexpr size_t kMovedPerBatch = 256;
constexpr uint64_t kMovedBytesPerBatch = 256 << 10;

}  // namespace

bool Compactor::WantsCompaction() const {
  MutexLock lock(table_->mutex);
  return table_->slabs.WantsCompaction();
}

Compactor::Compaction Compactor::CompactBatch() {
  MutexLock lock(table_->mutex);
  Slab* const slab = table_->slabs.NextSparse();
  return slab != nullptr ? MoveOut(slab) : Compaction{};
}

Compactor::Compaction Compactor::MoveOut(Slab* slab) {
  // A reader through the mount goes on at the old place.
  if (slab->shared.use_count() > 0) return {};
  const std::vector<ObjectRef> live =
      table_->LiveIn(*slab, kMovedPerBatch, true);
  for (const ObjectRef& object : live)
    table_->directory.index().MarkEvicting(object->slot);
  const auto pins = table_->FindPinsOf(live);
  std::vector<ObjectRef> free;
  for (const ObjectRef& object : live) {
    if (!pins.contains(table_->directory.index().PinOf(object->slot)))
      free.push_back(object);
  }
  auto places = CopyOut(*slab, free);
  if (!places) {
    spdlog::warn("compaction: {}", places.error().ToString());
    free.clear();
    places = std::vector<JournaledObject>();
  }
  for (size_t i = 0; i < places->size(); ++i) {
    MoveTo(free[i].get(), (*places)[i].info);
  }
  for (const ObjectRef& object : live)
    table_->directory.index().Unmark(object->slot);
  // Others first, next time.
  if (free.empty()) slab->Rotate(kMovedPerBatch);
  Compaction done{.moved = places->size()};
  if (places->empty() && !free.empty()) done.needed_bytes = free[0]->size_bytes;
  if (slab->live() == 0) done.dropped = table_->slabs.Drop(slab);
  return done;
}

Result<std::vector<JournaledObject>> Compactor::CopyOut(
    const Slab& slab, std::span<const ObjectRef> objects) {
  std::vector<JournaledObject> places;
  if (objects.empty() || table_->slabs.open() == nullptr) return places;
  auto fd = table_->segments->OpenFresh(slab.segment(), O_RDONLY);
  if (!fd) return fd.error();
  auto memory = Mapping::Map(fd->get(), slab.size_bytes(), PROT_READ);
  if (!memory) return memory.error();
  places.reserve(objects.size());
  const uint64_t end_bytes = table_->slabs.open()->end_bytes();
  uint64_t moved_bytes = 0;
  for (const ObjectRef& object : objects) {
    JournaledObject moved = object->Journaled();
    ObjectInfo& info = moved.info;
    if (!table_->slabs.open()->HasRoom(info.size_bytes) ||
        moved_bytes >= kMovedBytesPerBatch) {
      break;
    }
    info.offset_bytes = table_->slabs.open()->Place(
        {memory->data() + info.offset_bytes, info.size_bytes},
        object->metadata_charge());
    moved_bytes += info.size_bytes + MetadataBytes(object->metadata());
    info.slab = table_->slabs.open()->segment();
    places.push_back(std::move(moved));
  }
  if (places.empty()) return places;
  if (Status ok = table_->log.RecordMoved(places); !ok) {
    table_->slabs.open()->Rewind(
        end_bytes);  // Nobody has been told of these places.
    return ok.error();
  }
  return places;
}

void Compactor::MoveTo(ObjectRecord* object, const ObjectInfo& place) {
  table_->directory.index().Move(object->slot, place.slab, place.offset_bytes);
  if (object->hold) table_->CountHold(*object, false);
  table_->slabs.Remove(*object);
  object->slab = table_->slabs.open();
  table_->slabs.Add(*object);
  object->offset_bytes = static_cast<uint32_t>(place.offset_bytes);
  if (object->hold) table_->CountHold(*object, true);
  ++table_->moved_objects;
  table_->log.Tell({ObjectEventKind::kMoved, place, place.id});
}

}  // namespace vitrine::store
