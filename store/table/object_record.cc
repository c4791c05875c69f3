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
      uses_changed(false),
      labelled(false) {
  if (initial.in_slab()) return;
  own = std::make_unique<OwnSegment>();
  own->metadata = NoMetadata();
  own->charged_bytes = initial.charged_bytes;
  own->created_ns = initial.created_ns;
  own->modified_ns = initial.modified_ns;
  own->eviction.object = this;
}

void OwnSegment::SetMetadata(MetadataRef its_metadata) {
  if (its_metadata == nullptr) its_metadata = NoMetadata();
  metadata = std::move(its_metadata);
  overhead_bytes = MetadataCharge(*metadata);
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
  if (!in_slab()) return own->overhead_bytes;
  return SmallObjectOverheadBytes(id.text().size()) + metadata_charge();
}

uint64_t ObjectRecord::segment() const {
  return slab != nullptr ? slab->segment() : number;
}

uint64_t ObjectRecord::metadata_charge() const {
  return labelled ? SmallMetadataCharge(metadata()) : 0;
}

const MetadataRef& ObjectRecord::shared_metadata() const {
  static const MetadataRef none;
  if (own != nullptr) return own->metadata;
  if (!labelled) return none;
  return static_cast<const LabelledRecord*>(this)->metadata;
}

ObjectRef MakeSmallRecord(const ObjectInfo& initial, MetadataRef metadata) {
  if (MetadataOf(metadata).empty()) {
    return std::make_shared<ObjectRecord>(initial);
  }
  return std::make_shared<LabelledRecord>(initial, std::move(metadata));
}

// Small objects are created by their seal.
ObjectInfo ObjectRecord::Info() const {
  return {.number = number,
          .id = id.ToObjectId(),
          .state = state,
          .size_bytes = size_bytes,
          .charged_bytes = state == ObjectState::kGone ? 0 : charged_bytes(),
          .allocated_bytes = own != nullptr ? own->allocated_bytes : 0,
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
  const uint64_t bytes = MetadataBytes(metadata);
  return bytes <= kFreeMetadataBytes ? 0 : kMetadataCopies * bytes;
}

uint64_t SmallMetadataCharge(const Metadata& metadata) {
  constexpr uint64_t kMapBytes = 96;
  constexpr uint64_t kEntryBytes = 160;  // A node, and what malloc adds.
  if (metadata.empty()) return 0;
  return kMapBytes + kEntryBytes * metadata.size() +
         kMetadataCopies * MetadataBytes(metadata);
}

uint64_t NumberOf(const ObjectRecord& object) { return object.number; }

void ObjectRecord::NoteUse(int64_t now_ns) {
  used_ns = now_ns;
  if (use_count < std::numeric_limits<uint32_t>::max()) ++use_count;
}

}  // namespace vitrine::store
