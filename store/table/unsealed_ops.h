// Operations on unsealed objects: creating, growing, writing, renaming.
#ifndef VITRINE_STORE_TABLE_UNSEALED_OPS_H_
#define VITRINE_STORE_TABLE_UNSEALED_OPS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "store/base/requests.h"
#include "store/segments/segment_pool.h"
#include "store/table/table_state.h"

namespace vitrine::store {

// Thread-safe.  `table` must outlive it.
class UnsealedOps {
 public:
  explicit UnsealedOps(TableState* table) : table_(table) {}

  // kOverQuota: an object of `bytes` would be refused now.
  Status CheckInsert(const Payer& payer, uint64_t bytes) const;
  // `recycled`, a retired segment, is its segment; none: a new, empty one.
  // kOverQuota: its creator must not have one more.
  Result<ObjectRef> Insert(const ObjectId& id, const NewObject& options,
                           const std::optional<RetiredSegment>& recycled = {})
      EXCLUDES(table_->mutex);
  // kNotPermitted: sealed.  kNotFound: gone.
  Status CheckWritable(const ObjectRef& object) const EXCLUDES(table_->mutex);
  // Between Begin and End the object cannot be sealed.  Begin returns the
  // object's charge.
  Result<uint64_t> BeginChange(const ObjectRef& object) EXCLUDES(table_->mutex);
  void EndChange(const ObjectRef& object) EXCLUDES(table_->mutex);
  // Raises the object's or blank's charge to at least `charged_bytes`, which it
  // takes already, whatever the quotas say.  Returns the growth; 0 for an
  // object that is gone.
  uint64_t RaiseCharge(const ObjectRef& object, uint64_t charged_bytes)
      EXCLUDES(table_->mutex);
  // The same for what it does not take yet.  kOverQuota: its user must not have
  // so much.
  Result<uint64_t> TryRaiseCharge(const ObjectRef& object,
                                  uint64_t charged_bytes)
      EXCLUDES(table_->mutex);
  // kOverQuota: TryRaiseCharge would be refused now.
  Status CheckRaise(const ObjectRef& object, uint64_t charged_bytes) const
      EXCLUDES(table_->mutex);
  // Within a change that got no memory: sets the charge back to what the
  // segment takes.  kInUse: another change relies on its charge.
  struct Lowered {
    uint64_t charged_bytes;
    int64_t freed_bytes;  // Negative: it takes more than was charged.
  };
  Result<Lowered> LowerCharge(const ObjectRef& object) EXCLUDES(table_->mutex);
  // Replaces the segment of an object by a retired one of this audience, with
  // its charge.  kInUse: the object is not empty any more, somebody else has
  // it, or it has another audience by now.
  Status Adopt(const ObjectRef& object, const Audience& audience,
               const RetiredSegment& segment) EXCLUDES(table_->mutex);
  Status BeginWriting(const ObjectRef& object, WriteMode mode)
      EXCLUDES(table_->mutex);
  // After the last writer, memory beyond the size is given back.  Returns the
  // charge that became free; negative: the object takes more than was charged.
  int64_t EndWriting(const ObjectRef& object, WriteMode mode)
      EXCLUDES(table_->mutex);
  // Sets the size of the segment, within a change.  Returns the charge that
  // became free: 0 while other changes are pending, since they rely on their
  // charges.
  Result<int64_t> SetSize(const ObjectRef& object, uint64_t size_bytes)
      EXCLUDES(table_->mutex);
  // A carried write ended at `end_bytes`: the size is at least that.
  void NoteWritten(const ObjectRef& object, uint64_t end_bytes)
      EXCLUDES(table_->mutex);
  Result<UniqueFd> OpenForWriting(const ObjectRef& object)
      EXCLUDES(table_->mutex);
  Status SetMode(const ObjectRef& object, mode_t mode) EXCLUDES(table_->mutex);
  // kOverQuota: the new owner must not have what it costs, whoever gives it.
  Status SetOwner(const ObjectRef& object, uid_t uid, gid_t gid)
      EXCLUDES(table_->mutex);
  Status SetModified(const ObjectRef& object, int64_t modified_ns)
      EXCLUDES(table_->mutex);
  // Returns by how much the object's charge grew.
  Result<int64_t> SetMetadata(const ObjectRef& object, const std::string& name,
                              std::optional<std::string> value)
      EXCLUDES(table_->mutex);
  // `replaced` gets the segment of the object that had the id before.
  Status Rename(const ObjectRef& object, const ObjectId& id, bool no_replace,
                DroppedSegment* replaced) EXCLUDES(table_->mutex);
  // kNotPermitted: sealed.
  Result<DroppedSegment> Abort(const ObjectRef& object) EXCLUDES(table_->mutex);
  Result<ObjectRef> FindUnsealed(const ObjectId& id) const
      EXCLUDES(table_->mutex);

 private:
  Status MayRaise(const ObjectRecord& object, uint64_t charged_bytes) const
      REQUIRES(table_->mutex);
  uint64_t Raise(ObjectRecord* object, uint64_t charged_bytes)
      REQUIRES(table_->mutex);

  TableState* const table_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_UNSEALED_OPS_H_
