// The store's end of the control protocol (schema/protocol.fbs): a socket that
// native clients connect to.
//
// Everyone whom the mode bits of the socket let connect may create objects,
// list, stat and wait for all objects, and ask for space to be given back
// (Evict, as in Plasma: it takes nothing from anybody that pressure would not
// take).  Reading goes by the mode bits of the object; deleting, holding and
// aborting is for its owner and root.  Who asks is what the kernel says of the
// peer at the time of its connect.
//
// Nothing that a client sends, or does not send, disturbs the store or other
// clients: what is no valid request gets a Failure and a closed connection.
#ifndef VITRINE_STORE_SERVER_SERVER_H_
#define VITRINE_STORE_SERVER_SERVER_H_

#include <sys/types.h>
#include <vitrine/result.h>

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "store/catalog/catalog.h"
#include "store/store.h"

namespace vitrine::store {

// Owns the socket, the thread that serves it, and a few that do what takes
// long.  Thread-safe.  The store and the catalog must outlive it.
class Server {
 public:
  // Listens at `socket_path`, whose mode bits become `socket_mode`; the
  // directory is made if it is missing, and a socket that a killed store left
  // is replaced.  `catalog`, if any, is told who connects and leaves.
  // kUnavailable: a store listens there.  kInvalidArgument: the path is too
  // long for a socket.
  static Result<std::unique_ptr<Server>> Start(Store* store,
                                               const std::string& socket_path,
                                               mode_t socket_mode,
                                               Catalog* catalog = nullptr);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  // Ends all connections, which aborts what their clients have not sealed, and
  // removes the socket.
  ~Server();

  // {socket, connections, sessions, subscriptions, waits, requests, ...}.
  // Also in Store::StatusJson, as "server".
  nlohmann::json StatusJson() const;

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_SERVER_SERVER_H_
