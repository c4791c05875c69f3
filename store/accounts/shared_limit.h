// A limit that all users share, besides the limits of each.
#ifndef VITRINE_STORE_ACCOUNTS_SHARED_LIMIT_H_
#define VITRINE_STORE_ACCOUNTS_SHARED_LIMIT_H_

#include <vitrine/result.h>

#include <cstdint>
#include <memory>
#include <string>

#include "schema/base/mutex.h"
#include "store/accounts/accounts.h"

namespace vitrine::store {

// What there is of a resource.
struct Share {
  uint64_t total = 0;
  uint64_t reserved = 0;  // Of it, for root and the store's user.
  // Why there is no more, for messages.
  std::string bound_by = {};
};

// Charges a resource to its payer, and bounds what all have of it.  What a
// payer has is charged here or elsewhere; only what is charged here is bounded
// in all.  Thread-safe.  The accounts must outlive it.
class SharedLimit {
 public:
  SharedLimit(Accounts* accounts, Resource resource, Share share)
      : accounts_(accounts), resource_(resource), share_(std::move(share)) {}
  SharedLimit(const SharedLimit&) = delete;
  SharedLimit& operator=(const SharedLimit&) = delete;

  // kOverQuota: the payer has as many as may be.  kTooMany: all have.
  Status Charge(const Payer& payer) EXCLUDES(mutex_);
  void Release(const Payer& payer) EXCLUDES(mutex_);
  // Charge, until the last owner of the answer is gone.  This must outlive it.
  Result<std::shared_ptr<const void>> Hold(const Payer& payer) EXCLUDES(mutex_);

 private:
  Status Take(const Payer& payer) EXCLUDES(mutex_);
  void GiveBack() EXCLUDES(mutex_);

  Accounts* const accounts_;
  const Resource resource_;
  const Share share_;

  Mutex mutex_;
  uint64_t used_ GUARDED_BY(mutex_) = 0;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_ACCOUNTS_SHARED_LIMIT_H_
