#ifndef VITRINE_STORE_SERVER_SERVER_SESSIONS_H_
#define VITRINE_STORE_SERVER_SERVER_SESSIONS_H_

#include <sys/types.h>
#include <vitrine/result.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "schema/base/unique_fd.h"
#include "store/catalog/catalog.h"
#include "store/index/client_registry.h"
#include "store/server/server_connection.h"
#include "store/store.h"

namespace vitrine::store::server {

// One client: from the Hello of its session connection until that closes.
struct ClientSession {
  uint64_t id;  // As in the client registry.
  std::string token;
  uint64_t connection;  // The life-line.
  Credentials peer;
  // Its unsealed objects, by number.  Objects that others sealed or aborted
  // meanwhile may still be here.
  std::unordered_map<uint64_t, ObjectRef> objects;
  std::unordered_set<uint64_t> calls;  // Its kCall connections.
  UniqueFd process;                    // See OpenPeerProcess.
  std::shared_ptr<const void> page_charge;
  uint64_t process_watch = 0;
};

// All sessions.  On the loop's thread only.  Store and catalog must outlive it.
class SessionTable {
 public:
  // `catalog` may be null.
  SessionTable(Store* store, Catalog* catalog)
      : store_(store), catalog_(catalog) {}

  using Recall = std::function<void(const std::vector<uint64_t>& segments)>;
  struct Opened {
    ClientSession* session;
    UniqueFd page;
  };
  // Enters the client in the store's registry, and charges its page.  `recall`
  // and `recall_blanks` may be called by any thread.
  Result<Opened> Open(const Connection& connection, const std::string& name,
                      Recall recall, std::function<void()> recall_blanks);
  // kPermissionDenied: no session has the token, or another process's session.
  Result<ClientSession*> Authenticate(const std::string& token,
                                      const Connection& connection);
  // Null: it is gone.
  ClientSession* Find(uint64_t id);
  // Drops its pins.  The caller has to deal with its objects and calls.
  std::unique_ptr<ClientSession> Close(uint64_t id, bool client_left);
  size_t size() const { return sessions_.size(); }

 private:
  Store* const store_;
  Catalog* const catalog_;
  std::unordered_map<uint64_t, std::unique_ptr<ClientSession>> sessions_;
  std::unordered_map<std::string, uint64_t> tokens_;
};

}  // namespace vitrine::store::server

#endif  // VITRINE_STORE_SERVER_SERVER_SESSIONS_H_
