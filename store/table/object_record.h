// What the object table keeps of one object.
//
// Small sealed objects come by the million, so a record is only what every
// object needs: 120 bytes, or 128 with what malloc adds.  What those need that
// have a segment of their own, which costs pages anyway, is behind a pointer.
#ifndef VITRINE_STORE_TABLE_OBJECT_RECORD_H_
#define VITRINE_STORE_TABLE_OBJECT_RECORD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "schema/index_layout.h"
#include "store/base/metadata.h"
#include "store/base/object.h"
#include "store/journal/journal_record.h"
#include "store/segments/retired_segment.h"
#include "store/segments/segment_file.h"
#include "store/table/eviction_policy.h"
#include "store/table/page_holders.h"
#include "store/table/slab.h"
#include "store/table/small_id.h"

namespace vitrine::store {

// What a small object is charged besides its place in a slab, by its parts: for
// its record (128 bytes), what leads to it from its slot (16) and its slab (4),
// its share of the index (105), its journal record and the memory set
// aside for its removal (84 with a short id), and some that malloc loses.
constexpr uint64_t SmallObjectOverheadBytes(size_t id_bytes) {
  constexpr uint64_t kBytes = 344;
  constexpr size_t kShortIdBytes = 16;
  if (id_bytes <= kShortIdBytes) return kBytes;
  const size_t kept_elsewhere =
      id_bytes <= SmallId::kInPlaceBytes ? 0 : id_bytes + 16;
  return kBytes + id_bytes - kShortIdBytes + kept_elsewhere;
}

// The part of an object that is not in a slab.
struct OwnSegment {
  bool has_writers() const {
    return passthrough_writers + carried_writers + pending_changes > 0;
  }

  // Null: none.
  void SetMetadata(MetadataRef its_metadata);

  MetadataRef metadata;  // Not null.
  // The store's one description of the segment, while somebody needs it.
  std::weak_ptr<SegmentFile> shared;
  uint64_t charged_bytes = 0;
  uint64_t allocated_bytes = 0;  // Of an unsealed object, as last seen.
  uint64_t overhead_bytes = 0;   // Charged besides the segment, for metadata.
  int64_t created_ns = 0;
  int64_t modified_ns = 0;
  EvictionEntry eviction;
  uint32_t passthrough_writers = 0;  // Opens through the mount.
  uint32_t carried_writers = 0;
  uint32_t pending_changes = 0;  // Resizes and reservations under way.
  // False: somebody may have what leases do not show: the segment's name, which
  // he opens without asking the index, as native clients do, whether it is
  // still the object's; or its pages, which sendfile(2) and splice(2) leave in
  // sockets and pipes, and which a write(2) from a mapping pins.
  bool recyclable = true;
  bool recycled = false;  // It is no larger than when it was another object's.
  // A seal has begun, and gives it new pages; nobody may change it meanwhile.
  bool renewing = false;
  PageHolders holders;         // Since its pages were new.
  uint64_t sealed_after = 0;   // ClientRegistry::Departures, at the seal.
  bool through_mount = false;  // It was created there: no session ends it.
};

// Every field but `number` is guarded by the object table's mutex.
class ObjectRecord {
 public:
  // With a segment of its own, unless `initial` says otherwise; then `slab` is
  // for the caller to set.
  explicit ObjectRecord(const ObjectInfo& initial);

  bool readable_by_all() const { return (mode & 0004) != 0; }
  bool readable_by_others() const { return (mode & 0044) != 0; }
  Audience audience() const { return {.uid = uid, .gid = gid, .mode = mode}; }
  bool writable() const { return state == ObjectState::kUnsealed; }
  // A client may have a writable descriptor of it.
  bool may_grow() const { return writable() || state == ObjectState::kBlank; }
  bool in_slab() const { return own == nullptr; }
  bool has_writers() const { return own != nullptr && own->has_writers(); }
  // True if it has a segment of its own, in memory.
  bool has_own_segment() const { return own != nullptr && !elsewhere; }
  // The entry of its segment; null: it has none.
  EvictionEntry* eviction() const;
  // In memory, and with what is charged besides.
  uint64_t charged_bytes() const;
  uint64_t cost_bytes() const { return charged_bytes() + overhead_bytes(); }
  uint64_t overhead_bytes() const;
  // What a small object is charged for its metadata, among the overhead.
  uint64_t metadata_charge() const;
  uint64_t segment() const;
  const Metadata& metadata() const { return MetadataOf(shared_metadata()); }
  const MetadataRef& shared_metadata() const;

  ObjectInfo Info() const;
  JournaledObject Journaled() const { return {Info(), shared_metadata()}; }
  // As in ObjectInfo.
  uint64_t SlabNumber() const;
  void NoteUse(int64_t now_ns);

  const uint64_t number;
  SmallId id;
  Slab* slab = nullptr;             // Of one in memory that has no `own`.
  std::unique_ptr<OwnSegment> own;  // Null: it is, or was, in a slab.
  uint64_t size_bytes;
  int64_t sealed_ns;
  int64_t used_ns;
  uint32_t use_count;  // Stays at its greatest value.
  uint32_t slot = kNoSlot;
  uint32_t offset_bytes;  // In the slab.
  uid_t uid;
  gid_t gid;
  pid_t creator_pid;
  uint16_t mode;
  ObjectState state : 2;
  bool hold : 1;
  bool elsewhere : 1;     // Sealed, and its bytes are not in memory.
  bool copied : 1;        // The tier has its bytes; so it is if elsewhere.
  bool uses_changed : 1;  // Since the catalog was last told.
  bool labelled : 1;      // It is a LabelledRecord.
};

// A small object with metadata, which few small objects have.
class LabelledRecord : public ObjectRecord {
 public:
  LabelledRecord(const ObjectInfo& initial, MetadataRef its_metadata)
      : ObjectRecord(initial), metadata(std::move(its_metadata)) {
    labelled = true;
  }

  const MetadataRef metadata;  // Not null.
};

// A record of an object in a slab.
ObjectRef MakeSmallRecord(const ObjectInfo& initial, MetadataRef metadata);

// What an object with `metadata` is charged besides its segment: nothing for
// the usual few words; else for the copies in the store's own memory and in
// the journal, two of them while that is rewritten.
uint64_t MetadataCharge(const Metadata& metadata);

// What a small object with `metadata` is charged for it: a copy in the table,
// and the copies in the journal while that is rewritten.
uint64_t SmallMetadataCharge(const Metadata& metadata);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_OBJECT_RECORD_H_
