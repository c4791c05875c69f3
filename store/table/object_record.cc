#include "store/table/object_record.h"

#include <algorithm>
#include <limits>

namespace vitrine::store {
namespace {

constexpr uint64_t kFreeMetadataBytes = 1024;
constexpr uint64_t kMetadataCopies = 4;

uint32_t Saturated(uint64_t count) {
  return static_cast<uint32_t>(
      std::min<uint64_t>(count, std::numeric_limits<uint32_t>::max()));
}

}  // namespace

// make_shared puts its two counts and a pointer before it.
static_assert(sizeof(ObjectRecord) <= 104);

const std::shared_ptr<const Metadata>& NoMetadata() {
  static const auto none = std::make_shared<const Metadata>();
  return none;
}

ObjectRecord::ObjectRecord(const ObjectInfo& initial)
    : number(initial.number),
      id(initial.id),
      size_bytes(initial.size_bytes),
      sealed_ns(initial.sealed_ns),
      used_ns(initial.used_ns),
      use_count(Saturated(initial.use_count)),
      offset_bytes(static_cast<uint32_t>(initial.offset_bytes)),
      uid(initial.uid),
      gid(initial.gid),
      creator_pid(initial.creator_pid),
      mode(static_cast<uint16_t>(initial.mode & 07777)),
      state(initial.state),
      hold(initial.hold),
      elsewhere(initial.elsewhere),
      copied(initial.copied),
      uses_changed(false) {
  if (initial.in_slab()) return;
  own = std::make_unique<OwnSegment>();
  own->metadata = NoMetadata();
  own->charged_bytes = initial.charged_bytes;
  own->created_ns = initial.created_ns;
  own->modified_ns = initial.modified_ns;
  own->eviction.object = this;
}

EvictionEntry* ObjectRecord::eviction() const {
  if (slab != nullptr) return &slab->eviction;
  return own != nullptr ? &own->eviction : nullptr;
}

uint64_t ObjectRecord::charged_bytes() const {
  if (elsewhere) return 0;
  return in_slab() ? size_bytes : own->charged_bytes;
}

uint64_t ObjectRecord::overhead_bytes() const {
  return in_slab() ? SmallObjectOverheadBytes(id.text().size())
                   : own->overhead_bytes;
}

uint64_t ObjectRecord::segment() const {
  return slab != nullptr ? slab->segment() : number;
}

const Metadata& ObjectRecord::metadata() const {
  return in_slab() ? *NoMetadata() : *own->metadata;
}

// Small objects are created by their seal.
ObjectInfo ObjectRecord::Info() const {
  return {.number = number,
          .id = id.ToObjectId(),
          .state = state,
          .size_bytes = size_bytes,
          .charged_bytes = state == ObjectState::kGone ? 0 : charged_bytes(),
          .mode = mode,
          .uid = uid,
          .gid = gid,
          .creator_pid = creator_pid,
          .created_ns = in_slab() ? sealed_ns : own->created_ns,
          .modified_ns = in_slab() ? sealed_ns : own->modified_ns,
          .sealed_ns = sealed_ns,
          .used_ns = used_ns,
          .use_count = use_count,
          .hold = hold,
          .elsewhere = elsewhere,
          .copied = copied,
          .slab = SlabNumber(),
          .offset_bytes = offset_bytes,
          .recycled = own != nullptr && own->recycled};
}

uint64_t ObjectRecord::SlabNumber() const {
  if (slab != nullptr) return slab->segment();
  return in_slab() ? kLeftSlab : 0;
}

uint64_t MetadataCharge(const Metadata& metadata) {
  uint64_t bytes = 0;
  for (const auto& [name, value] : metadata)
    bytes += name.size() + value.size();
  return bytes <= kFreeMetadataBytes ? 0 : kMetadataCopies * bytes;
}

uint64_t NumberOf(const ObjectRecord& object) { return object.number; }

void ObjectRecord::NoteUse(int64_t now_ns) {
  used_ns = now_ns;
  if (use_count < std::numeric_limits<uint32_t>::max()) ++use_count;
}

}  // namespace vitrine::store
