#include "store/accounts/accounts_metrics.h"

#include <string>

namespace vitrine::store {
namespace {

using Account = Accounts::Account;

std::string KindOf(const Account& account) {
  return account.party.kind == Party::Kind::kUser ? "user" : "group";
}

uint64_t IdOf(const Account& account) { return account.party.id; }

template <Resource kResource>
uint64_t UsedOf(const Account& account) {
  return AmountOf(account.used, kResource);
}

constexpr MetricOf<Account> kAccountMetrics[] = {
    Info<&KindOf>("kind", "Whether it is a user or a group."),
    Info<&IdOf>("id", "The number of the user or the group."),
    Gauge<&UsedOf<Resource::kMemory>>(
        "memory_bytes", "Memory that is charged for its objects and blanks.",
        MetricUnit::kBytes),
    Gauge<&UsedOf<Resource::kObjects>>("objects",
                                       "Objects that it has, sealed or not."),
    Gauge<&UsedOf<Resource::kUnsealed>>("unsealed",
                                        "Unsealed objects that it has."),
    Gauge<&UsedOf<Resource::kWaiters>>("waiters", "Waits that it has."),
    Gauge<&UsedOf<Resource::kConnections>>("connections",
                                           "Connections that it has."),
    Gauge<&UsedOf<Resource::kDescriptors>>(
        "descriptors", "Descriptors for its open files and directories."),
    Gauge<&UsedOf<Resource::kHolds>>("holds", "Held objects that it has.")};

}  // namespace

std::vector<StatusSection> AccountSections(const Accounts& accounts) {
  std::vector<StatusSection> sections;
  for (const Account& account : accounts.List()) {
    if (account.used == Amounts{}) continue;
    sections.push_back(MakeSection(kAccountMetrics, account));
  }
  return sections;
}

}  // namespace vitrine::store
