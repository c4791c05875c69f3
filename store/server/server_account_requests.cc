// The requests about accounts and quotas.
#include <unistd.h>

#include <algorithm>
#include <string>

#include "store/accounts/accounts.h"
#include "store/server/server_requests.h"

namespace vitrine::store::server {
namespace {

// Of some 200 bytes each.
constexpr size_t kMostAccounts = 400;

// The order of Accounts::List.
uint64_t KeyOf(const Party& party) {
  return (static_cast<uint64_t>(party.kind) << 32) | party.id;
}

Error MayNotSetQuotas() {
  return Error{Code::kPermissionDenied,
               "only root and the store's user may set quotas"};
}

}  // namespace

void RequestHandler::GetAccounts(Connection* connection,
                                 const protocol::GetAccounts& request) {
  const Accounts& book = parts_.store->facts().accounts();
  std::vector<Accounts::Account> accounts = book.List();
  std::erase_if(accounts, [&request](const Accounts::Account& account) {
    return KeyOf(account.party) < request.from();
  });
  AccountsPage page;
  if (accounts.size() > kMostAccounts) {
    page.next = KeyOf(accounts[kMostAccounts].party);
    accounts.resize(kMostAccounts);
  }
  page.accounts = std::move(accounts);
  if (request.from() == 0) {
    page.of_each_user = book.Defaults(Party::Kind::kUser);
    page.of_each_group = book.Defaults(Party::Kind::kGroup);
  }
  Reply(connection->id(), AccountsMessage(page));
}

void RequestHandler::SetQuota(Connection* connection,
                              const protocol::SetQuota& request) {
  const uid_t uid = connection->peer().uid;
  if (uid != 0 && uid != ::geteuid()) {
    return void(ReplyFailure(connection->id(), MayNotSetQuotas()));
  }
  // A number: a name might have to be asked of another host.
  const std::string who = request.each() ? "*" : std::to_string(request.id());
  const auto quota = ParseQuota((request.group() ? "group:" : "user:") + who +
                                ":" + request.limits()->str());
  if (!quota) return void(ReplyFailure(connection->id(), quota.error()));
  parts_.store->facts().accounts().SetQuota(*quota);
  ReplyStatus(connection->id(), Status());
}

}  // namespace vitrine::store::server
