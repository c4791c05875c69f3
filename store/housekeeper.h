// Chores that nobody waits for.
#ifndef VITRINE_STORE_HOUSEKEEPER_H_
#define VITRINE_STORE_HOUSEKEEPER_H_

#include <functional>
#include <list>
#include <thread>

#include "schema/base/mutex.h"
#include "store/catalog.h"
#include "store/client_registry.h"
#include "store/object_table.h"
#include "store/orphans.h"
#include "store/segment_file.h"

namespace vitrine {

// Owns one thread, which gives the memory of orphans back, charges for memory
// that clients took unasked, notes recency, tells the catalog of it, keeps the
// journal short and makes small pages huge.
// Thread-safe.  All that it is given must outlive it.
class Housekeeper {
 public:
  Housekeeper(ObjectTable* table, SegmentDir* segments, Orphans* orphans,
              MemoryBudget* budget, ClientRegistry* clients, Catalog* catalog,
              std::function<void()> compact_slabs);
  ~Housekeeper();

  // The object was written to its end: give it huge pages where it has none.
  void Collapse(const ObjectRef& object) EXCLUDES(mutex_);
  // There is an orphan to look after.
  void Wake() EXCLUDES(mutex_);

 private:
  void Run() EXCLUDES(mutex_);
  void CollapseAll(const std::list<ObjectRef>& objects);
  // Clients that only keep deleted segments mapped should let go of them.
  void RecallOrphans();
  // A client may write more to its object than it asked for.
  void ChargeWhatWasWritten();

  ObjectTable* const table_;  // Lock themselves.
  SegmentDir* const segments_;
  Orphans* const orphans_;
  MemoryBudget* const budget_;
  ClientRegistry* const clients_;
  Catalog* const catalog_;
  const std::function<void()> compact_slabs_;

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool woken_ GUARDED_BY(mutex_) = false;
  std::list<ObjectRef> to_collapse_ GUARDED_BY(mutex_);

  uint64_t last_looked_at_ = 0;  // On the thread only.

  std::thread thread_;  // Last: it uses all of the above.
};

}  // namespace vitrine

#endif  // VITRINE_STORE_HOUSEKEEPER_H_
