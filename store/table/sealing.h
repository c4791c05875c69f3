// Sealing: how an object becomes visible and immutable.
#ifndef VITRINE_STORE_TABLE_SEALING_H_
#define VITRINE_STORE_TABLE_SEALING_H_

#include <cstdint>

#include "store/base/requests.h"
#include "store/table/table_state.h"

namespace vitrine::store {

// Thread-safe.  `table` must outlive it.
class Sealing {
 public:
  explicit Sealing(TableState* table) : table_(table) {}

  // Returns the charge that became free.  kTooLarge: with its holes filled it
  // takes more than `most_bytes`.  kOverQuota: more than its user must have.
  Result<int64_t> Seal(const ObjectRef& object, const ObjectId& id,
                       uint64_t most_bytes) EXCLUDES(table_->mutex);
  // The same for a blank, which becomes `seal`.  kNotFound: it is gone.
  // kInvalidArgument: the size is beyond it, or its file was changed.
  // kOverQuota: its user must not have one more object.
  Result<int64_t> SealBlank(const ObjectRef& blank, const BlankSeal& seal)
      EXCLUDES(table_->mutex);

 private:
  // Frees the memory beyond the object's size, fills its holes, and sets its
  // charge.  Returns the charge that became free.
  Result<int64_t> MakeWhole(ObjectRecord* object, uint64_t most_bytes)
      REQUIRES(table_->mutex);
  Status CheckQuota(const ObjectRecord& blank, const BlankSeal& seal) const
      REQUIRES(table_->mutex);
  Status CommitSeal(const ObjectRef& object, PendingWakes* wakes)
      REQUIRES(table_->mutex);

  TableState* const table_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_SEALING_H_
