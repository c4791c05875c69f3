// What the object table keeps of one object.
#ifndef VITRINE_STORE_OBJECT_RECORD_H_
#define VITRINE_STORE_OBJECT_RECORD_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "schema/index_layout.h"
#include "store/object.h"
#include "store/segment_file.h"
#include "store/slab.h"

namespace vitrine {

// Every field but `number` is guarded by the object table's mutex.
class Object {
 public:
  explicit Object(ObjectInfo initial)
      : number(initial.number), info(std::move(initial)) {}

  bool writable() const { return info.state == ObjectState::kUnsealed; }
  uint64_t cost_bytes() const { return info.charged_bytes + overhead_bytes; }
  bool has_writers() const {
    return passthrough_writers + carried_writers + pending_changes > 0;
  }

  const uint64_t number;
  ObjectInfo info;
  std::shared_ptr<const Metadata> metadata;
  Slab* slab = nullptr;  // Null: the segment is its own.
  // The store's one description of its own segment, while somebody needs it.
  std::weak_ptr<SegmentFile> shared;
  // Charged besides the segment, for metadata.
  uint64_t overhead_bytes = 0;
  uint32_t slot = kNoSlot;
  uint32_t passthrough_writers = 0;  // Opens through the mount.
  uint32_t carried_writers = 0;
  uint32_t pending_changes = 0;  // Resizes and reservations under way.
  bool uses_changed = false;     // Since the catalog was last told.
  // Somebody may open the segment by its name, unlike native clients without
  // asking the index whether it is still the object's.
  bool path_told = false;
};

}  // namespace vitrine

#endif  // VITRINE_STORE_OBJECT_RECORD_H_
