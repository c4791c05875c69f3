// Whom something is charged to.
#ifndef VITRINE_STORE_ACCOUNTS_PAYER_H_
#define VITRINE_STORE_ACCOUNTS_PAYER_H_

#include <sys/types.h>

namespace vitrine::store {

// A user, and the group that goes with it.
struct Payer {
  uid_t uid = 0;
  gid_t gid = 0;

  bool operator==(const Payer&) const = default;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_ACCOUNTS_PAYER_H_
