// Chores that nobody waits for.
#ifndef VITRINE_STORE_KEEPERS_HOUSEKEEPER_H_
#define VITRINE_STORE_KEEPERS_HOUSEKEEPER_H_

#include <functional>
#include <list>
#include <thread>

#include "schema/base/mutex.h"
#include "store/catalog/catalog.h"
#include "store/index/client_registry.h"
#include "store/segments/orphans.h"
#include "store/segments/segment_dir.h"
#include "store/table/object_table.h"

namespace vitrine::store {

// Owns one thread, which gives the memory of orphans back, and that of spare
// segments which nobody wants, makes the next slab ready, charges for memory
// that clients took unasked, notes recency, tells the catalog of it, keeps the
// journal short and makes small pages huge.
// Thread-safe.  All that it is given must outlive it.
class Housekeeper {
 public:
  Housekeeper(ObjectTable* table, SegmentDir* segments, Orphans* orphans,
              SegmentPool* pool, MemoryBudget* budget, ClientRegistry* clients,
              Catalog* catalog, std::function<void()> compact_slabs);
  ~Housekeeper();

  // The object was written to its end: give it huge pages where it has none.
  void Collapse(const ObjectRef& object) EXCLUDES(mutex_);
  // There is an orphan to look after.
  void Wake() EXCLUDES(mutex_);
  // A slab of `size_bytes` was opened: the next one is wanted soon.
  void PrepareSlab(uint64_t size_bytes) EXCLUDES(mutex_);

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
  SegmentPool* const pool_;
  MemoryBudget* const budget_;
  ClientRegistry* const clients_;
  Catalog* const catalog_;
  const std::function<void()> compact_slabs_;

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool woken_ GUARDED_BY(mutex_) = false;
  std::list<ObjectRef> to_collapse_ GUARDED_BY(mutex_);
  uint64_t slab_to_prepare_bytes_ GUARDED_BY(mutex_) = 0;

  uint64_t last_looked_at_ = 0;  // On the thread only.

  std::thread thread_;  // Last: it uses all of the above.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_KEEPERS_HOUSEKEEPER_H_
