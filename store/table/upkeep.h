// Upkeep of the object table, and its observers.
#ifndef VITRINE_STORE_TABLE_UPKEEP_H_
#define VITRINE_STORE_TABLE_UPKEEP_H_

#include <cstdint>
#include <vector>

#include "store/base/observer.h"
#include "store/table/table_state.h"

namespace vitrine::store {

// Thread-safe.  `table` must outlive it.
class Upkeep {
 public:
  explicit Upkeep(TableState* table) : table_(table) {}

  void AddObserver(Observer* observer) EXCLUDES(table_->mutex);
  void RemoveObserver(Observer* observer) EXCLUDES(table_->mutex);
  std::vector<Observer*> Observers() const EXCLUDES(table_->mutex);

  // From now on, dropped segments of sealed objects are retired, not unlinked.
  void Recycle() EXCLUDES(table_->mutex);
  // A number for a segment that is none yet.
  uint64_t NewNumber() EXCLUDES(table_->mutex) { return table_->NewNumber(); }
  // Moves the objects that clients touched to the young end of the queue.
  void DrainTouches() EXCLUDES(table_->mutex);
  // Objects whose recency or use count changed since the last call.
  std::vector<ObjectInfo> TakeUses() EXCLUDES(table_->mutex);
  void RewriteJournalIfWanted() EXCLUDES(table_->mutex);
  // Rewrites it: all that is in `tiers` (Tier::identities) is known from now
  // on.
  Status RewriteJournalFor(std::vector<uint64_t> tiers) EXCLUDES(table_->mutex);

 private:
  void VisitSealed(const Journal::Visitor& visit) const REQUIRES(table_->mutex);

  TableState* const table_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_UPKEEP_H_
