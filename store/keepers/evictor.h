// The background evictor: makes space before anyone needs it.
#ifndef VITRINE_STORE_KEEPERS_EVICTOR_H_
#define VITRINE_STORE_KEEPERS_EVICTOR_H_

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <thread>

#include "schema/base/mutex.h"
#include "store/index/client_registry.h"
#include "store/segments/memory_budget.h"
#include "store/segments/orphans.h"
#include "store/table/object_table.h"
#include "store/tiers/carrier.h"
#include "store/tiers/tier.h"

namespace vitrine::store {

// Owns one thread, which evicts while the budget is short or somebody asked.
// Thread-safe.  All that it is given must outlive it.
class Evictor {
 public:
  // Without a `tier`, evicted objects are gone.
  Evictor(ObjectTable* table, MemoryBudget* budget, Orphans* orphans,
          ClientRegistry* clients, Tier* tier);
  // Requests that are not done get what was freed so far.
  ~Evictor();

  // Looks for a shortage now.
  void Wake() EXCLUDES(mutex_);
  // Evicts `bytes`, or as much as can be; `done` hears how much it was.
  void Request(uint64_t bytes, Done<uint64_t> done) EXCLUDES(mutex_);

  struct Numbers {
    uint64_t batches = 0;
    uint64_t busy = 0;            // Victims that somebody had open or mapped.
    uint64_t recalls = 0;         // Clients asked to unmap what they only kept.
    uint64_t stuck = 0;           // Shortages that no eviction could end.
    uint64_t taken_back = 0;      // Victims that were wanted meanwhile.
    uint64_t carry_failures = 0;  // Batches that the tier did not take whole.
  };
  Numbers Count() const EXCLUDES(mutex_);

 private:
  struct Asked {
    uint64_t bytes;
    uint64_t freed = 0;
    Done<uint64_t> done;
  };

  void Run() EXCLUDES(mutex_);
  // Waits until there may be something to do.  False: the end.
  bool WaitForWork() EXCLUDES(mutex_);
  // How many bytes to free now.
  uint64_t Target() const EXCLUDES(mutex_);
  void EvictOnce(uint64_t bytes) EXCLUDES(mutex_);
  // The three steps; see Eviction.
  Eviction::Batch EvictBatch(uint64_t bytes) EXCLUDES(mutex_);
  // Of what has a copy, while the tier fails.
  Eviction::Batch EvictCopied(uint64_t bytes, Eviction::Wishes wishes);
  Eviction::Batch EvictToTier(uint64_t bytes, const Eviction::Wishes& wishes)
      EXCLUDES(mutex_);
  void NoteCarried(const Status& carried) EXCLUDES(mutex_);
  // True: it waits for older objects to be unmapped before younger ones go.
  bool IsPatient() const;
  // What is older has gone, or nothing needs to: the next time it waits again.
  void BePatientAgain() { patient_until_.reset(); }
  void NoProgress(const Eviction::Batch& batch) EXCLUDES(mutex_);
  void GiveUp() EXCLUDES(mutex_);
  void CreditRequests(uint64_t freed) EXCLUDES(mutex_);
  void FinishRequests(bool all) EXCLUDES(mutex_);

  ObjectTable* const table_;  // Lock themselves.
  MemoryBudget* const budget_;
  Orphans* const orphans_;
  ClientRegistry* const clients_;
  Tier* const tier_;                        // Null: none.
  const std::unique_ptr<Carrier> carrier_;  // Of the thread alone; or null.

  // Of the thread alone.
  size_t examined_in_vain_ = 0;
  int rounds_in_vain_ = 0;
  // Set when it begins to wait for mappings.
  std::optional<std::chrono::steady_clock::time_point> patient_until_;
  bool tier_fails_ = false;
  // All that users have beyond their shares is in use: that of others goes,
  // until the shortage is over.
  bool shares_in_vain_ = false;
  std::chrono::steady_clock::duration spent_in_vain_{
      0};  // Since something was evicted.

  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool woken_ GUARDED_BY(mutex_) = false;
  int64_t pause_ms_ GUARDED_BY(mutex_) = 0;  // > 0: nothing to evict lately.
  std::list<Asked> asked_ GUARDED_BY(mutex_);
  Numbers numbers_ GUARDED_BY(mutex_);

  std::thread thread_;  // Last: it uses all of the above.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_KEEPERS_EVICTOR_H_
