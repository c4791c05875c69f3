// Questions to the object table.
#ifndef VITRINE_STORE_TABLE_TABLE_QUERIES_H_
#define VITRINE_STORE_TABLE_TABLE_QUERIES_H_

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "store/base/live_objects.h"
#include "store/table/table_state.h"

namespace vitrine::store {

// Thread-safe.  `table` must outlive it.
class TableQueries {
 public:
  explicit TableQueries(TableState* table) : table_(table) {}

  ObjectInfo Info(const ObjectRef& object) EXCLUDES(table_->mutex);
  std::shared_ptr<const Metadata> GetMetadata(const ObjectRef& object) const
      EXCLUDES(table_->mutex);
  bool InUse(const ObjectRef& object) EXCLUDES(table_->mutex);
  // See ObjectViews::Describe.
  std::vector<ListedObject> Describe(std::span<const ObjectRef> objects,
                                     ObjectState state) EXCLUDES(table_->mutex);
  std::vector<ObjectRef> List(ObjectState state) const EXCLUDES(table_->mutex);
  // Adds the sealed objects in the `most` index slots from `*slot` on, and sets
  // that to the next; an object keeps its slot.  False: there are no more.
  bool ReadSlots(uint64_t* slot, size_t most,
                 std::vector<ObjectInfo>* infos) const EXCLUDES(table_->mutex);
  // For each, whether it lives and still has that id.
  std::vector<bool> AreAlive(std::span<const KnownObject> objects) const
      EXCLUDES(table_->mutex);

  struct Numbers {
    uint64_t sealed_objects = 0;
    uint64_t sealed_bytes = 0;
    uint64_t held_objects = 0;
    uint64_t held_bytes = 0;
    uint64_t unsealed_objects = 0;
    uint64_t unsealed_bytes = 0;
    uint64_t blanks = 0;
    uint64_t blank_bytes = 0;
    uint64_t evicted_objects = 0;
    uint64_t evicted_bytes = 0;
    uint64_t evictable_segments = 0;
    uint64_t slabs = 0;
    uint64_t slab_bytes = 0;
    uint64_t slab_objects = 0;
    uint64_t moved_objects = 0;  // By compaction.
    uint64_t elsewhere_objects = 0;
    uint64_t elsewhere_bytes = 0;
    uint64_t returned_objects = 0;
    uint64_t index_bytes = 0;
    uint64_t journal_bytes = 0;
  };
  Numbers Count() const EXCLUDES(table_->mutex);
  // Sealed and unsealed objects.
  std::pair<size_t, size_t> CountObjects() const EXCLUDES(table_->mutex);
  // All segments that could be evicted if they were not in use.
  struct Victims {
    size_t segments = 0;
    uint64_t bytes = 0;
  };
  Victims CountEvictable() const EXCLUDES(table_->mutex);
  // All charges that would go with them: also those for entries of what lives
  // in slabs.  Looks at every object.
  uint64_t SumEvictableCosts() const EXCLUDES(table_->mutex);
  Result<UniqueFd> OpenIndex() const EXCLUDES(table_->mutex);

 private:
  TableState* const table_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_TABLE_QUERIES_H_
