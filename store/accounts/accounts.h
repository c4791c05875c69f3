// Accounts: who has how much of the store, and who may have more.
#ifndef VITRINE_STORE_ACCOUNTS_ACCOUNTS_H_
#define VITRINE_STORE_ACCOUNTS_ACCOUNTS_H_

#include <sys/types.h>
#include <vitrine/result.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "schema/base/mutex.h"
#include "store/accounts/payer.h"
#include "store/accounts/quota.h"

namespace vitrine::store {

// Thread-safe; its lock is a leaf: nothing is called while it is held.
//
// Invariants:
//  (1) What is charged to a user is charged to a group, too.
//  (2) Charge never brings a payer above a limit.  Only ForceCharge does, for
//      what cannot be refused, and a limit that was lowered.
//  (3) Root and the store's user have no limits but those that name them: a
//      store that others have filled can still be looked after.
class Accounts {
 public:
  explicit Accounts(uid_t store_uid) : store_uid_(store_uid) {}
  Accounts(const Accounts&) = delete;
  Accounts& operator=(const Accounts&) = delete;

  // Root and the store's user.
  bool IsPrivileged(uid_t uid) const { return uid == 0 || uid == store_uid_; }

  // From now on.  Nobody loses what he has.
  void SetQuota(const Quota& quota) EXCLUDES(mutex_);

  // All of it or nothing.  kOverQuota: who would have more than which limit.
  Status Charge(const Payer& payer, const Amounts& amounts) EXCLUDES(mutex_);
  Status Charge(const Payer& payer, Resource resource, uint64_t amount)
      EXCLUDES(mutex_) {
    return Charge(payer, OnlyOf(resource, amount));
  }
  void ForceCharge(const Payer& payer, const Amounts& amounts)
      EXCLUDES(mutex_) {
    Exchange(payer, {}, payer, amounts);
  }
  void ForceCharge(const Payer& payer, Resource resource, uint64_t amount)
      EXCLUDES(mutex_) {
    ForceCharge(payer, OnlyOf(resource, amount));
  }
  void Release(const Payer& payer, const Amounts& amounts) EXCLUDES(mutex_) {
    Exchange(payer, amounts, payer, {});
  }
  void Release(const Payer& payer, Resource resource, uint64_t amount)
      EXCLUDES(mutex_) {
    Release(payer, OnlyOf(resource, amount));
  }
  // Releases what was charged to one payer, and charges another one by force.
  void Exchange(const Payer& from, const Amounts& released, const Payer& to,
                const Amounts& charged) EXCLUDES(mutex_);

  // What Charge would say.  It holds as long as nobody else charges.
  Status Check(const Payer& payer, const Amounts& amounts) const
      EXCLUDES(mutex_);
  // The same for what is charged to `from` and goes over to `to`.
  Status CheckMove(const Payer& from, const Payer& to,
                   const Amounts& amounts) const EXCLUDES(mutex_);
  // What Charge would still let the payer have.
  Amounts RoomOf(const Payer& payer) const EXCLUDES(mutex_);

  uint64_t Used(const Party& party, Resource resource) const EXCLUDES(mutex_);
  uint64_t LimitOf(const Party& party, Resource resource) const
      EXCLUDES(mutex_);

  // A user who has more than his fair share of the memory, and how much more.
  struct Excess {
    uid_t uid;
    uint64_t bytes;
  };
  using Excesses = std::vector<Excess>;
  // The greatest first.  With N users who have memory or are among `waiting`,
  // the fair share is the N-th part of `capacity_bytes`, or a user's quota if
  // that is less.  A single user has no share but all.
  Excesses OverShare(uint64_t capacity_bytes,
                     const std::set<uid_t>& waiting) const EXCLUDES(mutex_);

  struct Account {
    Party party;
    Amounts used;
    Amounts limits;  // kUnlimited: none.
  };
  // Those who have something or a limit of their own, users first.
  std::vector<Account> List() const EXCLUDES(mutex_);
  // The limits of each user, or group, that has none of its own.
  Amounts Defaults(Party::Kind kind) const EXCLUDES(mutex_);

 private:
  using Limits = std::array<std::optional<uint64_t>, kResources>;

  Limits& DefaultsOf(Party::Kind kind) REQUIRES(mutex_);
  const Limits& DefaultsOf(Party::Kind kind) const REQUIRES(mutex_);
  // `privileged`: the defaults do not count.
  uint64_t LimitLocked(const Party& party, Resource resource,
                       bool privileged) const REQUIRES(mutex_);
  uint64_t UsedLocked(const Party& party, Resource resource) const
      REQUIRES(mutex_);
  Status CheckLocked(const Payer& payer, const Amounts& amounts) const
      REQUIRES(mutex_);
  // kOverQuota: `amounts` more would be too much for `party`.
  Status CheckParty(const Party& party, const Amounts& amounts,
                    bool privileged) const REQUIRES(mutex_);
  void Change(const Party& party, const Amounts& released,
              const Amounts& charged) REQUIRES(mutex_);

  const uid_t store_uid_;
  mutable Mutex mutex_;
  // By resource.  False: nobody ever had a limit, so none need be looked for.
  std::array<bool, kResources> limited_ GUARDED_BY(mutex_) = {};
  std::map<Party, Amounts> used_ GUARDED_BY(mutex_);
  std::map<Party, Limits> own_limits_ GUARDED_BY(mutex_);
  Limits user_defaults_ GUARDED_BY(mutex_);
  Limits group_defaults_ GUARDED_BY(mutex_);
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_ACCOUNTS_ACCOUNTS_H_
