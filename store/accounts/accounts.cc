#include "store/accounts/accounts.h"

#include <algorithm>
#include <cassert>
#include <string>

namespace vitrine::store {
namespace {

constexpr size_t IndexOf(Resource resource) {
  return static_cast<size_t>(resource);
}

Party UserOf(const Payer& payer) { return {Party::Kind::kUser, payer.uid}; }
Party GroupOf(const Payer& payer) { return {Party::Kind::kGroup, payer.gid}; }

Error OverQuota(const Party& party, Resource resource, uint64_t used,
                uint64_t amount, uint64_t limit) {
  return {Code::kOverQuota,
          PartyText(party) + " wanted " + std::to_string(amount) + " more of " +
              kResourceNames[IndexOf(resource)] + ", has " +
              std::to_string(used) + " and may have " + std::to_string(limit)};
}

}  // namespace

Accounts::Limits& Accounts::DefaultsOf(Party::Kind kind) {
  return kind == Party::Kind::kUser ? user_defaults_ : group_defaults_;
}

const Accounts::Limits& Accounts::DefaultsOf(Party::Kind kind) const {
  return kind == Party::Kind::kUser ? user_defaults_ : group_defaults_;
}

void Accounts::SetQuota(const Quota& quota) {
  MutexLock lock(mutex_);
  Limits& limits =
      quota.id ? own_limits_[{quota.kind, *quota.id}] : DefaultsOf(quota.kind);
  for (const auto& [resource, limit] : quota.limits) {
    limited_[IndexOf(resource)] = true;
    limits[IndexOf(resource)] = limit;
  }
}

Status Accounts::Charge(const Payer& payer, const Amounts& amounts) {
  MutexLock lock(mutex_);
  if (Status ok = CheckLocked(payer, amounts); !ok) return ok;
  Change(UserOf(payer), {}, amounts);
  Change(GroupOf(payer), {}, amounts);
  return {};
}

void Accounts::Exchange(const Payer& from, const Amounts& released,
                        const Payer& to, const Amounts& charged) {
  MutexLock lock(mutex_);
  if (from == to) {
    if (released == charged) return;
    Change(UserOf(to), released, charged);
    Change(GroupOf(to), released, charged);
    return;
  }
  Change(UserOf(from), released, {});
  Change(GroupOf(from), released, {});
  Change(UserOf(to), {}, charged);
  Change(GroupOf(to), {}, charged);
}

Status Accounts::Check(const Payer& payer, const Amounts& amounts) const {
  MutexLock lock(mutex_);
  return CheckLocked(payer, amounts);
}

Status Accounts::CheckMove(const Payer& from, const Payer& to,
                           const Amounts& amounts) const {
  MutexLock lock(mutex_);
  const bool privileged = IsPrivileged(to.uid);
  if (from.uid != to.uid) {
    if (Status ok = CheckParty(UserOf(to), amounts, privileged); !ok) return ok;
  }
  if (from.gid == to.gid) return {};
  return CheckParty(GroupOf(to), amounts, privileged);
}

Amounts Accounts::RoomOf(const Payer& payer) const {
  MutexLock lock(mutex_);
  const bool privileged = IsPrivileged(payer.uid);
  Amounts room;
  room.fill(kUnlimited);
  for (const Party& party : {UserOf(payer), GroupOf(payer)}) {
    for (size_t i = 0; i < kResources; ++i) {
      if (!limited_[i]) continue;
      const auto resource = static_cast<Resource>(i);
      const uint64_t limit = LimitLocked(party, resource, privileged);
      if (limit == kUnlimited) continue;
      const uint64_t used = UsedLocked(party, resource);
      room[i] = std::min(room[i], limit - std::min(limit, used));
    }
  }
  return room;
}

uint64_t Accounts::Used(const Party& party, Resource resource) const {
  MutexLock lock(mutex_);
  return UsedLocked(party, resource);
}

uint64_t Accounts::LimitOf(const Party& party, Resource resource) const {
  MutexLock lock(mutex_);
  const bool privileged =
      party.kind == Party::Kind::kUser && IsPrivileged(party.id);
  return LimitLocked(party, resource, privileged);
}

std::vector<Accounts::Account> Accounts::List() const {
  MutexLock lock(mutex_);
  std::set<Party> parties;
  for (const auto& [party, used] : used_) parties.insert(party);
  for (const auto& [party, limits] : own_limits_) parties.insert(party);
  std::vector<Account> accounts;
  for (const Party& party : parties) {
    const bool privileged =
        party.kind == Party::Kind::kUser && IsPrivileged(party.id);
    Account account{.party = party, .used = {}, .limits = {}};
    for (size_t i = 0; i < kResources; ++i) {
      const auto resource = static_cast<Resource>(i);
      account.used[i] = UsedLocked(party, resource);
      account.limits[i] = LimitLocked(party, resource, privileged);
    }
    accounts.push_back(account);
  }
  return accounts;
}

Accounts::Excesses Accounts::OverShare(uint64_t capacity_bytes,
                                       const std::set<uid_t>& waiting) const {
  Excesses over;
  MutexLock lock(mutex_);
  std::set<uid_t> users = waiting;
  for (const auto& [party, used] : used_) {
    if (party.kind != Party::Kind::kUser) break;  // The users come first.
    if (AmountOf(used, Resource::kMemory) > 0) users.insert(party.id);
  }
  if (users.size() < 2) return over;
  for (const uid_t uid : users) {
    const Party party{Party::Kind::kUser, uid};
    const uint64_t share =
        std::min(capacity_bytes / users.size(),
                 LimitLocked(party, Resource::kMemory, IsPrivileged(uid)));
    const uint64_t used = UsedLocked(party, Resource::kMemory);
    if (used > share) over.push_back({uid, used - share});
  }
  std::sort(over.begin(), over.end(),
            [](const Excess& a, const Excess& b) { return a.bytes > b.bytes; });
  return over;
}

Amounts Accounts::Defaults(Party::Kind kind) const {
  MutexLock lock(mutex_);
  Amounts amounts = {};
  std::transform(DefaultsOf(kind).begin(), DefaultsOf(kind).end(),
                 amounts.begin(), [](const std::optional<uint64_t>& limit) {
                   return limit.value_or(kUnlimited);
                 });
  return amounts;
}

uint64_t Accounts::LimitLocked(const Party& party, Resource resource,
                               bool privileged) const {
  const size_t index = IndexOf(resource);
  const auto own = own_limits_.find(party);
  if (own != own_limits_.end() && own->second[index]) {
    return *own->second[index];
  }
  if (privileged) return kUnlimited;
  return DefaultsOf(party.kind)[index].value_or(kUnlimited);
}

uint64_t Accounts::UsedLocked(const Party& party, Resource resource) const {
  const auto found = used_.find(party);
  return found == used_.end() ? 0 : found->second[IndexOf(resource)];
}

Status Accounts::CheckLocked(const Payer& payer, const Amounts& amounts) const {
  const bool privileged = IsPrivileged(payer.uid);
  if (Status ok = CheckParty(UserOf(payer), amounts, privileged); !ok) {
    return ok;
  }
  return CheckParty(GroupOf(payer), amounts, privileged);
}

Status Accounts::CheckParty(const Party& party, const Amounts& amounts,
                            bool privileged) const {
  for (size_t i = 0; i < kResources; ++i) {
    if (amounts[i] == 0 || !limited_[i]) continue;
    const auto resource = static_cast<Resource>(i);
    const uint64_t limit = LimitLocked(party, resource, privileged);
    if (limit == kUnlimited) continue;
    const uint64_t used = UsedLocked(party, resource);
    if (used > limit || amounts[i] > limit - used) {
      return OverQuota(party, resource, used, amounts[i], limit);
    }
  }
  return {};
}

void Accounts::Change(const Party& party, const Amounts& released,
                      const Amounts& charged) {
  Amounts& used = used_[party];
  for (size_t i = 0; i < kResources; ++i) {
    assert(used[i] >= released[i]);
    used[i] += charged[i] - released[i];
  }
  if (used == Amounts{}) used_.erase(party);
}

}  // namespace vitrine::store
