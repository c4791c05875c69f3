// The memory that the store has for its clients: pages and rings that it shares
// with them, and what the mount keeps for its users.
#ifndef VITRINE_STORE_SEGMENTS_CLIENT_MEMORY_H_
#define VITRINE_STORE_SEGMENTS_CLIENT_MEMORY_H_

#include <vitrine/result.h>

#include <cstdint>
#include <map>
#include <memory>

#include "schema/base/mutex.h"
#include "store/accounts/accounts.h"
#include "store/base/requests.h"
#include "store/segments/memory_budget.h"

namespace vitrine::store {

// Charges such memory to the budget and to its user.  Never waits: clients
// connect on a thread that must not.  The clients of ordinary users together
// get a part of the capacity; those of one user get half of what the others
// leave.  The first MiB is not charged to the budget: a store of a few pages
// has clients, too.  Thread-safe.  Budget and accounts must outlive it, and it
// what it gave.
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
  // Of them, charged to the budget.
  uint64_t budgeted_bytes() const EXCLUDES(mutex_);

 private:
  struct Piece {
    Payer payer;
    uint64_t bytes;
    uint64_t budgeted_bytes;  // Of them, charged to the budget.
  };

  Result<Piece> Add(const Payer& payer, uint64_t bytes) EXCLUDES(mutex_);
  Status CheckOrdinary(uid_t uid, uint64_t bytes) const REQUIRES(mutex_);
  void Subtract(const Piece& piece) EXCLUDES(mutex_);
  bool ChargeBudget(uint64_t bytes, ClientMemoryNeed need);
  void GiveBack(const Piece& piece) EXCLUDES(mutex_);

  MemoryBudget* const budget_;
  Accounts* const accounts_;
  const uint64_t most_bytes_;  // Of ordinary users.

  mutable Mutex mutex_;
  uint64_t bytes_ GUARDED_BY(mutex_) = 0;
  uint64_t budgeted_bytes_ GUARDED_BY(mutex_) = 0;
  uint64_t ordinary_bytes_ GUARDED_BY(mutex_) = 0;
  std::map<uid_t, uint64_t> ordinary_users_ GUARDED_BY(mutex_);
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_SEGMENTS_CLIENT_MEMORY_H_
