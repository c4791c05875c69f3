#include "store/accounts/shared_limit.h"

#include <cassert>

namespace vitrine::store {

Status SharedLimit::Charge(const Payer& payer) {
  if (Status ok = Take(payer); !ok) return ok;
  Status charged = accounts_->Charge(payer, resource_, 1);
  if (!charged) GiveBack();
  return charged;
}

void SharedLimit::Release(const Payer& payer) {
  accounts_->Release(payer, resource_, 1);
  GiveBack();
}

Result<std::shared_ptr<const void>> SharedLimit::Hold(const Payer& payer) {
  if (Status ok = Charge(payer); !ok) return ok.error();
  return std::shared_ptr<const void>(
      static_cast<const void*>(this),
      [this, payer](const void*) { Release(payer); });
}

Status SharedLimit::Take(const Payer& payer) {
  const uint64_t reserved =
      accounts_->IsPrivileged(payer.uid) ? 0 : share_.reserved;
  MutexLock lock(mutex_);
  const uint64_t most = share_.total - reserved;
  if (used_ >= most) {
    return Error{Code::kTooMany,
                 "the store has " + std::to_string(used_) + " " +
                     kResourceNames[static_cast<size_t>(resource_)] +
                     " and may have " + std::to_string(most) +
                     (reserved == 0 ? "" : " for others than root") +
                     share_.bound_by};
  }
  ++used_;
  return {};
}

void SharedLimit::GiveBack() {
  MutexLock lock(mutex_);
  assert(used_ > 0);
  --used_;
}

}  // namespace vitrine::store
