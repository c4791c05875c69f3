// Blanks: segments with memory for objects to come.
#ifndef VITRINE_STORE_TABLE_BLANK_OPS_H_
#define VITRINE_STORE_TABLE_BLANK_OPS_H_

#include <cstdint>
#include <vector>

#include "store/base/requests.h"
#include "store/segments/segment_pool.h"
#include "store/table/table_state.h"

namespace vitrine::store {

// Thread-safe.  `table` must outlive it.
class BlankOps {
 public:
  explicit BlankOps(TableState* table) : table_(table) {}

  // Makes a retired segment, whose memory is charged, a blank for `creator`.
  // kOverQuota: who must not have so much.
  Result<ObjectRef> Make(const Credentials& creator, mode_t mode,
                         const RetiredSegment& segment) EXCLUDES(table_->mutex);
  // kNotFound: it is no blank any more.
  Result<UniqueFd> OpenForWriting(const ObjectRef& blank)
      EXCLUDES(table_->mutex);
  // The same.
  Result<DroppedSegment> Drop(const ObjectRef& blank) EXCLUDES(table_->mutex);

  struct Numbers {
    uint64_t blanks = 0;
    uint64_t bytes = 0;
  };
  Numbers Count() const EXCLUDES(table_->mutex);
  std::vector<ObjectRef> List() const EXCLUDES(table_->mutex);

 private:
  TableState* const table_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_BLANK_OPS_H_
