// An amount that is charged as long as somebody has this.
#ifndef VITRINE_STORE_ACCOUNTS_CHARGED_H_
#define VITRINE_STORE_ACCOUNTS_CHARGED_H_

#include <vitrine/result.h>

#include <cstdint>
#include <memory>

#include "store/accounts/accounts.h"

namespace vitrine::store {

// The accounts must outlive it.
class Charged {
 public:
  // kOverQuota.  Shared, so that callbacks can have it.
  static Result<std::shared_ptr<const Charged>> Make(Accounts* accounts,
                                                     const Payer& payer,
                                                     Resource resource,
                                                     uint64_t amount) {
    if (Status ok = accounts->Charge(payer, resource, amount); !ok) {
      return ok.error();
    }
    return std::shared_ptr<const Charged>(
        new Charged(accounts, payer, resource, amount));
  }
  Charged(const Charged&) = delete;
  Charged& operator=(const Charged&) = delete;
  ~Charged() { accounts_->Release(payer_, resource_, amount_); }

 private:
  Charged(Accounts* accounts, const Payer& payer, Resource resource,
          uint64_t amount)
      : accounts_(accounts),
        payer_(payer),
        resource_(resource),
        amount_(amount) {}

  Accounts* const accounts_;
  const Payer payer_;
  const Resource resource_;
  const uint64_t amount_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_ACCOUNTS_CHARGED_H_
