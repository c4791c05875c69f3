// What one store is made of, and the steps that its roles have in common.
#ifndef VITRINE_STORE_ROLES_STORE_PARTS_H_
#define VITRINE_STORE_ROLES_STORE_PARTS_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "store/accounts/accounts.h"
#include "store/base/requests.h"
#include "store/base/restart_report.h"
#include "store/base/store_options.h"
#include "store/base/worker_pool.h"
#include "store/catalog/catalog.h"
#include "store/host/lock_file.h"
#include "store/host/memory_place.h"
#include "store/index/client_registry.h"
#include "store/keepers/abandoned_watch.h"
#include "store/keepers/evictor.h"
#include "store/keepers/housekeeper.h"
#include "store/keepers/pressure_watch.h"
#include "store/keepers/retriever.h"
#include "store/keepers/seal_copier.h"
#include "store/keepers/writer_watch.h"
#include "store/segments/client_memory.h"
#include "store/segments/memory_budget.h"
#include "store/segments/orphans.h"
#include "store/segments/segment_dir.h"
#include "store/segments/segment_pool.h"
#include "store/table/object_table.h"

namespace vitrine::store {

// ObjectStore makes them, in the order in which they are here: each uses those
// above it.  All lock themselves.
struct StoreParts {
  // --- steps of several roles ---
  // Whole pages.
  uint64_t RoundUp(uint64_t bytes) const;
  // The error with a message of what uses the memory.
  Error Explain(const Error& error) const;
  // `freed_bytes` as the object table says it.
  void GiveBack(int64_t freed_bytes);
  void DropNow(DroppedSegment dropped);
  Result<ObjectRef> CreateIn(const ObjectId& id, const NewObject& new_object,
                             const std::optional<RetiredSegment>& recycled);
  Status Abort(const ObjectRef& object);

  const StoreOptions options;
  LockFile lock;
  const std::unique_ptr<MemoryPlace> place;
  SegmentDir segments;
  Accounts accounts;
  ClientRegistry clients = {};
  const std::chrono::steady_clock::time_point started =
      std::chrono::steady_clock::now();

  RestartReport restart = {};  // Constant once the store runs.
  std::unique_ptr<Catalog> catalog = {};
  std::unique_ptr<ObjectTable> table = {};
  std::unique_ptr<MemoryBudget> budget = {};
  std::unique_ptr<ClientMemory> client_memory = {};
  std::unique_ptr<SegmentPool> pool = {};
  std::unique_ptr<Orphans> orphans = {};
  std::unique_ptr<WorkerPool> workers = {};
  std::unique_ptr<Retriever> retriever = {};  // Null: there is no tier.
  std::unique_ptr<AbandonedWatch> abandoned = {};
  std::unique_ptr<Housekeeper> housekeeper = {};
  std::unique_ptr<WriterWatch> watch = {};
  std::unique_ptr<Evictor> evictor = {};
  std::unique_ptr<PressureWatch> pressure = {};  // Null: on a hugetlbfs.
  std::unique_ptr<SealCopier> copier = {};
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_ROLES_STORE_PARTS_H_
