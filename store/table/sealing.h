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

  // Before the first seal.
  void SetCopying(SealCopy policy) { policy_ = policy; }

  struct Step {
    int64_t freed_bytes = 0;  // The charge that became free.
    // Not sealed yet.  The first bytes of its segment need new pages; nobody
    // can change it before EndRenewal.  Then the call is to be repeated.
    uint64_t renew_bytes = 0;
  };
  // kTooLarge: with its holes filled it takes more than `most_bytes`.
  Result<Step> Seal(const ObjectRef& object, const ObjectId& id,
                    uint64_t most_bytes) EXCLUDES(table_->mutex);
  // The same for a blank, which becomes `seal`.  kNotFound: it is gone.
  // kInvalidArgument: the size is beyond it, or its file was changed.
  Result<Step> SealBlank(const ObjectRef& blank, const BlankSeal& seal)
      EXCLUDES(table_->mutex);
  // `renewed`: nobody but the store has ever had the pages that it has now.
  void EndRenewal(const ObjectRef& object, bool renewed)
      EXCLUDES(table_->mutex);

 private:
  // Frees the memory beyond the object's size, fills its holes, and sets its
  // charge.  Returns the charge that became free.
  Result<int64_t> MakeWhole(ObjectRecord* object, uint64_t most_bytes)
      REQUIRES(table_->mutex);
  // True: it begins, for a seal that everything else allows.
  bool BeginRenewal(ObjectRecord* object) REQUIRES(table_->mutex);
  Status CommitSeal(const ObjectRef& object, PendingWakes* wakes)
      REQUIRES(table_->mutex);

  TableState* const table_;
  SealCopy policy_ = SealCopy::kNever;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_SEALING_H_
