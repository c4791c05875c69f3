#ifndef VITRINE_FUSEFS_FILES_CHARGE_WAIT_H_
#define VITRINE_FUSEFS_FILES_CHARGE_WAIT_H_

#include <vitrine/result.h>

#include <memory>

#include "fusefs/base/store_names.h"
#include "store/accounts/charged.h"

namespace vitrine::fusefs {

// One wait of `payer`, until the last owner of the answer is gone: whoever
// calls the store back has it.  An interrupted request is answered at once, but
// the store has it until it calls back.  kOverQuota: `payer` has as many waits
// as may be.
inline Result<std::shared_ptr<const store::Charged>> ChargeWait(
    Store* store, const Payer& payer) {
  return store::Charged::Make(&store->facts().accounts(), payer,
                              store::Resource::kWaiters, 1);
}

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_FILES_CHARGE_WAIT_H_
