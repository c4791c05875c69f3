// The store's background chores; no thread waits for them.
#ifndef VITRINE_STORE_KEEPERS_HOUSEKEEPER_H_
#define VITRINE_STORE_KEEPERS_HOUSEKEEPER_H_

#include <chrono>
#include <functional>
#include <list>
#include <thread>

#include "schema/base/mutex.h"
#include "store/catalog/catalog.h"
#include "store/index/client_registry.h"
#include "store/keepers/abandoned_watch.h"
#include "store/segments/orphans.h"
#include "store/segments/segment_dir.h"
#include "store/table/object_table.h"

namespace vitrine::store {

// Owns one thread.  It frees orphans and unused segments of the pool, prepares
// the next slab, compacts slabs, charges memory that clients took beyond their
// request, looks for abandoned objects, records recency for the table and the
// catalog, keeps the journal short, and replaces small pages by huge ones.
// Thread-safe.  The constructor's arguments must outlive it.
class Housekeeper {
 public:
  Housekeeper(ObjectTable* table, SegmentDir* segments, Orphans* orphans,
              SegmentPool* pool, MemoryBudget* budget, ClientRegistry* clients,
              Catalog* catalog, AbandonedWatch* abandoned,
              std::function<void()> compact_slabs);
  ~Housekeeper();

  // The object was written to its end: replaces its small pages by huge ones.
  void Collapse(const ObjectRef& object) EXCLUDES(mutex_);
  // There is a new orphan to poll.
  void Wake() EXCLUDES(mutex_);
  // A slab of `size_bytes` was opened: the next one is needed soon.
  void PrepareSlab(uint64_t size_bytes) EXCLUDES(mutex_);

 private:
  void Run() EXCLUDES(mutex_);
  // Returns the pause until the next time, if some are left.
  std::chrono::steady_clock::duration PollOrphans();
  void CollapseAll(const std::list<ObjectRef>& objects);
  // Recalls deleted segments from clients that only keep them mapped.
  void RecallOrphans();
  // Charges growth: a client may write more to its object than it asked for.
  std::vector<ObjectRef> WhatMayBeWritten() const;
  void ChargeGrowth(const ObjectRef& object);
  void ChargeWhatWasWritten();

  ObjectTable* const table_;  // Lock themselves.
  SegmentDir* const segments_;
  Orphans* const orphans_;
  SegmentPool* const pool_;
  MemoryBudget* const budget_;
  ClientRegistry* const clients_;
  Catalog* const catalog_;
  AbandonedWatch* const abandoned_;
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
