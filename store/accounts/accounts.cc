#include "store/accounts/accounts.h"

#include <algorithm>
#include <cassert>
#include <set>
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
    limits[IndexOf(resource)] = limit;
  }
}

Status Accounts::Charge(const Payer& payer, Resource resource,
                        uint64_t amount) {
  MutexLock lock(mutex_);
  const bool privileged = IsPrivileged(payer.uid);
  for (const Party& party : {UserOf(payer), GroupOf(payer)}) {
    if (Status ok = Check(party, resource, amount, privileged); !ok) return ok;
  }
  Add(payer, resource, amount);
  return {};
}

void Accounts::ForceCharge(const Payer& payer, Resource resource,
                           uint64_t amount) {
  MutexLock lock(mutex_);
  Add(payer, resource, amount);
}

void Accounts::Release(const Payer& payer, Resource resource, uint64_t amount) {
  if (amount == 0) return;
  MutexLock lock(mutex_);
  Subtract(UserOf(payer), resource, amount);
  Subtract(GroupOf(payer), resource, amount);
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

Status Accounts::Check(const Party& party, Resource resource, uint64_t amount,
                       bool privileged) const {
  const uint64_t limit = LimitLocked(party, resource, privileged);
  if (limit == kUnlimited || amount == 0) return {};
  const uint64_t used = UsedLocked(party, resource);
  if (used <= limit && amount <= limit - used) return {};
  return OverQuota(party, resource, used, amount, limit);
}

void Accounts::Add(const Payer& payer, Resource resource, uint64_t amount) {
  if (amount == 0) return;
  used_[UserOf(payer)][IndexOf(resource)] += amount;
  used_[GroupOf(payer)][IndexOf(resource)] += amount;
}

void Accounts::Subtract(const Party& party, Resource resource,
                        uint64_t amount) {
  const auto found = used_.find(party);
  assert(found != used_.end());
  uint64_t& used = found->second[IndexOf(resource)];
  assert(used >= amount);
  used -= amount;
  if (found->second == Amounts{}) used_.erase(found);
}

}  // namespace vitrine::store
