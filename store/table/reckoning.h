// What an object costs the user and the group that it belongs to.
#ifndef VITRINE_STORE_TABLE_RECKONING_H_
#define VITRINE_STORE_TABLE_RECKONING_H_

#include "store/accounts/accounts.h"
#include "store/table/object_record.h"

namespace vitrine::store {

inline Payer PayerOf(const ObjectRecord& object) {
  return {.uid = object.uid, .gid = object.gid};
}
// What it is charged, as it is now.
Amounts ChargeOf(const ObjectRecord& object);

// While it lives, an object may change in any way, its owner and its end
// included.  Then the accounts have what it costs from now on.  Nothing is
// refused: whoever lets an object cost more asks the accounts first.
// `accounts` and `object` must outlive it.
class Reckoning {
 public:
  Reckoning(Accounts* accounts, const ObjectRecord& object)
      : accounts_(accounts),
        object_(object),
        payer_(PayerOf(object)),
        charged_(ChargeOf(object)) {}
  Reckoning(const Reckoning&) = delete;
  Reckoning& operator=(const Reckoning&) = delete;
  ~Reckoning() {
    accounts_->Exchange(payer_, charged_, PayerOf(object_), ChargeOf(object_));
  }

 private:
  Accounts* const accounts_;
  const ObjectRecord& object_;
  const Payer payer_;
  const Amounts charged_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_RECKONING_H_
