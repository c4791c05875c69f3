// The requests about accounts and quotas.
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
    for (const auto kind : {Party::Kind::kUser, Party::Kind::kGroup}) {
      page.of_each.push_back({{kind, 0}, {}, book.Defaults(kind)});
    }
  }
  Reply(connection->id(), AccountsMessage(page));
}

void RequestHandler::SetQuota(Connection* connection,
                              const protocol::SetQuota& request) {
  if (!IsTrusted(connection->peer().uid)) {
    return void(ReplyFailure(connection->id(), MayNotSetQuotas()));
  }
  // The greatest number stands for nobody (chown(2)).
  if (!request.each() && request.id() == UINT32_MAX) {
    return void(ReplyFailure(
        connection->id(),
        Error{Code::kNotFound, "no user or group has that number"}));
  }
  Quota quota{.kind =
                  request.group() ? Party::Kind::kGroup : Party::Kind::kUser};
  if (!request.each()) quota.id = request.id();
  if (Status ok = ParseLimits(request.limits()->string_view(), &quota); !ok) {
    return void(ReplyFailure(connection->id(), ok.error()));
  }
  parts_.store->facts().accounts().SetQuota(quota);
  ReplyStatus(connection->id(), Status());
}

}  // namespace vitrine::store::server
