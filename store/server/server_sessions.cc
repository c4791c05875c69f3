#include "store/server/server_sessions.h"

#include <sys/random.h>

#include <cerrno>
#include <utility>

#include "schema/protocol.h"
#include "store/accounts/accounts.h"

namespace vitrine::store::server {
namespace {

constexpr size_t kMaxNameBytes = 64;

// Clients choose their names, but `status` and logs must stay readable.
std::string CleanName(const std::string& name) {
  std::string clean = name.substr(0, kMaxNameBytes);
  for (char& c : clean) {
    if (c < ' ' || c > '~') c = '?';
  }
  return clean;
}

Result<std::string> MakeToken() {
  std::string token(kSessionTokenBytes, '\0');
  if (::getrandom(token.data(), token.size(), 0) !=
      static_cast<ssize_t>(token.size())) {
    return ErrnoError("getrandom", errno);
  }
  return token;
}

}  // namespace

Result<SessionTable::Opened> SessionTable::Open(
    const Connection& connection, const std::string& name, Recall recall,
    std::function<void()> recall_blanks) {
  auto token = MakeToken();
  if (!token) return token.error();
  const std::string clean_name = CleanName(name);
  const Credentials& peer = connection.peer();
  auto charge = store_->memory().ShareWithClient(
      PayerOf(peer), ClientRegistry::kPageBytes, ClientMemoryNeed::kNow);
  if (!charge) return charge.error();
  auto added = store_->events().clients().Add(
      {.name = clean_name,
       .pid = peer.pid,
       .uid = peer.uid,
       .recall = std::move(recall),
       .recall_blanks = std::move(recall_blanks)});
  if (!added) return added.error();
  auto session = std::make_unique<ClientSession>();
  session->id = added->client;
  session->token = std::move(*token);
  session->connection = connection.id();
  session->peer = peer;
  session->page_charge = std::move(*charge);
  tokens_.emplace(session->token, session->id);
  ClientSession* const opened = session.get();
  sessions_.emplace(session->id, std::move(session));
  if (catalog_ != nullptr) {
    catalog_->ClientConnected(opened->id, clean_name, peer.pid, peer.uid);
  }
  return Opened{opened, std::move(added->page)};
}

Result<ClientSession*> SessionTable::Authenticate(
    const std::string& token, const Connection& connection) {
  const Error denied{Code::kPermissionDenied,
                     "no session of this process has that token"};
  const auto found = tokens_.find(token);
  if (found == tokens_.end()) return denied;
  ClientSession* const session = sessions_.at(found->second).get();
  const Credentials& owner = session->peer;
  const Credentials& peer = connection.peer();
  if (owner.uid != peer.uid || owner.pid != peer.pid) return denied;
  return session;
}

ClientSession* SessionTable::Find(uint64_t id) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second.get();
}

std::unique_ptr<ClientSession> SessionTable::Close(uint64_t id,
                                                   bool client_left) {
  auto node = sessions_.extract(id);
  if (node.empty()) return nullptr;
  tokens_.erase(node.mapped()->token);
  store_->events().clients().Remove(id, client_left);
  if (catalog_ != nullptr) catalog_->ClientDisconnected(id);
  return std::move(node.mapped());
}

}  // namespace vitrine::store::server
