#include "store/table/directory.h"

#include <cassert>

namespace vitrine::store {
namespace {

uint8_t FlagsOf(const ObjectRecord& object) {
  uint8_t flags = object.readable_by_all() ? kSlotReadableByAll : 0;
  if (!object.metadata().empty()) flags |= kSlotHasMetadata;
  return flags;
}

bool IsKnown(const ObjectRef& object, const KnownObject& known) {
  return object != nullptr && object->number == known.number;
}

}  // namespace

ObjectRef Directory::FindSealed(std::string_view id) const {
  const uint32_t slot = index_.Find(id);
  if (slot == kNoSlot) return nullptr;
  const ObjectRef& found = sealed_by_slot_[slot];
  return found != nullptr && found->id.text() == id ? found : nullptr;
}

ObjectRef Directory::FindUnsealed(const std::string& id) const {
  const auto found = unsealed_.find(id);
  return found != unsealed_.end() ? found->second : nullptr;
}

ObjectRef Directory::InSlot(uint32_t slot) const {
  return slot < sealed_by_slot_.size() ? sealed_by_slot_[slot] : nullptr;
}

std::vector<bool> Directory::AreAlive(
    std::span<const KnownObject> objects) const {
  std::vector<bool> alive;
  alive.reserve(objects.size());
  for (const KnownObject& known : objects) {
    alive.push_back(IsKnown(FindSealed(known.id), known) ||
                    IsKnown(FindUnsealed(known.id), known));
  }
  return alive;
}

void Directory::AddUnsealed(const ObjectRef& object) {
  assert(object->slot == kNoSlot);  // Invariant (1).
  unsealed_.emplace(object->id.text(), object);
}

Status Directory::Publish(const ObjectRef& object) {
  assert(object->slot == kNoSlot);  // Invariant (1).
  auto slot =
      index_.Publish(object->id.text(), {.segment = object->segment(),
                                         .offset = object->offset_bytes,
                                         .size_bytes = object->size_bytes,
                                         .flags = FlagsOf(*object),
                                         .number = object->number});
  if (!slot) return slot.error();
  object->slot = *slot;
  if (sealed_by_slot_.size() <= *slot) sealed_by_slot_.resize(*slot + 1);
  sealed_by_slot_[*slot] = object;
  ++sealed_objects_;
  sealed_bytes_ += object->cost_bytes();
  return Status();
}

void Directory::SetElsewhere(ObjectRecord* object, bool elsewhere) {
  if (object->elsewhere == elsewhere) return;
  const uint64_t one = elsewhere ? 1 : ~uint64_t{0};  // Plus or minus.
  elsewhere_objects_ += one;
  elsewhere_bytes_ += one * object->size_bytes;
  sealed_bytes_ -= object->cost_bytes();
  object->elsewhere = elsewhere;
  sealed_bytes_ += object->cost_bytes();
}

void Directory::SendElsewhere(ObjectRecord* object) {
  index_.SendElsewhere(object->slot);
  assert(index_.IsElsewhere(object->slot));  // Invariant (4).
  SetElsewhere(object, true);
}

void Directory::Return(ObjectRecord* object) {
  assert(index_.IsElsewhere(object->slot));  // Invariant (4).
  SetElsewhere(object, false);
  index_.Return(object->slot, object->segment(), object->offset_bytes);
}

void Directory::Unpublish(ObjectRecord* object) {
  if (object->elsewhere) {
    --elsewhere_objects_;
    elsewhere_bytes_ -= object->size_bytes;
  }
  index_.Remove(object->slot);
  --sealed_objects_;
  sealed_bytes_ -= object->cost_bytes();
  sealed_by_slot_[object->slot] = nullptr;
  object->slot = kNoSlot;
}

uint64_t Directory::unsealed_bytes() const {
  uint64_t bytes = 0;
  for (const auto& [id, object] : unsealed_) bytes += object->cost_bytes();
  return bytes;
}

std::vector<std::pair<uint64_t, ObjectRef>> Directory::List(
    ObjectState state) const {
  std::vector<std::pair<uint64_t, ObjectRef>> found;
  const auto add = [&found](const ObjectRef& object) {
    if (object != nullptr) found.emplace_back(object->number, object);
  };
  if (state == ObjectState::kSealed) {
    found.reserve(sealed_objects_);
    for (const ObjectRef& object : sealed_by_slot_) add(object);
  } else {
    for (const auto& [id, object] : unsealed_) add(object);
  }
  return found;
}

}  // namespace vitrine::store
