// The segments that may be evicted, in the order in which they go.
//
// Invariants:
//  (1) bytes() is the sum of what was said of the entries that are known.
//  (2) An entry is known at most once.
//  (3) Only an entry that is known is leaving.
#ifndef VITRINE_STORE_TABLE_EVICTION_QUEUE_H_
#define VITRINE_STORE_TABLE_EVICTION_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "store/table/eviction_policy.h"

namespace vitrine::store {

// Counts the bytes of what the eviction policy orders.  Not thread-safe: the
// object table's lock guards it.
class EvictionQueue {
 public:
  explicit EvictionQueue(std::unique_ptr<EvictionPolicy> policy)
      : policy_(std::move(policy)) {}

  // The segment, which takes `bytes`, may go from now on; it counts as just
  // used.  A known entry stays where it is.
  void Add(EvictionEntry* entry, uint64_t bytes);
  // The segment may not go any more, nor does it.  `bytes` as Add was told.  An
  // unknown entry is ignored.
  void Remove(EvictionEntry* entry, uint64_t bytes);
  // The segment was used: it does not go now.  An unknown entry is ignored.
  void Touch(EvictionEntry* entry);
  // Calls `visit` with entries, the next victim first, until it says false.
  // `visit` must not change the queue.
  void Visit(const std::function<bool(EvictionEntry* entry)>& visit) const {
    policy_->Visit(visit);
  }

  // The same with the entries of one owner.
  void VisitOf(uid_t owner,
               const std::function<bool(EvictionEntry* entry)>& visit) const {
    policy_->VisitOf(owner, visit);
  }
  size_t SizeOf(uid_t owner) const { return policy_->SizeOf(owner); }

  // How many were added last, a quarter of all.
  size_t young() const { return size() / 4; }
  bool IsYoung(const EvictionEntry& entry) const {
    return added_ - entry.added_as < young();
  }
  size_t size() const { return policy_->size(); }
  uint64_t bytes() const { return bytes_; }

 private:
  std::unique_ptr<EvictionPolicy> policy_;
  uint64_t bytes_ = 0;
  uint64_t added_ = 0;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_EVICTION_QUEUE_H_
