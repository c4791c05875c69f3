// The memory that the store shares with its clients: pages and rings.
#ifndef VITRINE_STORE_SEGMENTS_CLIENT_MEMORY_H_
#define VITRINE_STORE_SEGMENTS_CLIENT_MEMORY_H_

#include <vitrine/result.h>

#include <cstdint>
#include <memory>

#include "schema/base/mutex.h"
#include "store/accounts/accounts.h"
#include "store/base/requests.h"
#include "store/segments/memory_budget.h"

namespace vitrine::store {

// Charges such memory to the budget and to its user.  Never waits: clients
// connect on a thread that must not.  All clients together get a part of the
// capacity.  Thread-safe.  Budget and accounts must outlive it, and it what it
// gave.
class ClientMemory {
 public:
  ClientMemory(MemoryBudget* budget, Accounts* accounts);
  ClientMemory(const ClientMemory&) = delete;
  ClientMemory& operator=(const ClientMemory&) = delete;

  // See MemoryRequests::ShareWithClient.
  Result<std::shared_ptr<const void>> Take(const Payer& payer, uint64_t bytes,
                                           ClientMemoryNeed need)
      EXCLUDES(mutex_);
  uint64_t bytes() const EXCLUDES(mutex_);

 private:
  Status Add(uint64_t bytes) EXCLUDES(mutex_);
  void Subtract(uint64_t bytes) EXCLUDES(mutex_);
  bool ChargeBudget(uint64_t bytes, ClientMemoryNeed need);

  MemoryBudget* const budget_;
  Accounts* const accounts_;
  const uint64_t most_bytes_;

  mutable Mutex mutex_;
  uint64_t bytes_ GUARDED_BY(mutex_) = 0;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_SEGMENTS_CLIENT_MEMORY_H_
