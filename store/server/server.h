// The store's end of the control protocol (schema/protocol.fbs): a socket that
// native clients connect to.
//
// Every user whom the socket's mode bits admit may create objects, list, stat
// and wait for all objects, and have memory freed (Evict, as in Plasma: it
// evicts nothing that memory pressure would not evict).  The mode bits of an
// object decide who may read it.  Only its owner and root may delete, hold or
// abort it. A peer's credentials are those that the kernel gives for its
// connect(2).
//
// No message of a client, and no missing one, disturbs the store or other
// clients: an invalid request gets a Failure and a closed connection.
#ifndef VITRINE_STORE_SERVER_SERVER_H_
#define VITRINE_STORE_SERVER_SERVER_H_

#include <sys/types.h>
#include <vitrine/result.h>

#include <memory>
#include <string>

#include "store/base/access.h"
#include "store/catalog/catalog.h"
#include "store/metrics/status_section.h"
#include "store/store.h"

namespace vitrine::store {

// Owns the socket, the thread that serves it, and workers for long requests.
// Thread-safe.  The store and the catalog must outlive it.
class Server {
 public:
  // Listens at `socket_path`, whose mode bits become `socket_mode`.  Makes the
  // directory if it is missing, and replaces a socket that a killed store left.
  // `catalog`, if any, is told of clients that connect and leave.  Of `access`,
  // group and list of users apply.
  // kUnavailable: a store listens there.  kInvalidArgument: the path is too
  // long for a socket.
  static Result<std::unique_ptr<Server>> Start(Store* store,
                                               const std::string& socket_path,
                                               mode_t socket_mode,
                                               Catalog* catalog = nullptr,
                                               const Access& access = {});
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  // Ends all connections, which aborts the unsealed objects of their clients,
  // and removes the socket.
  ~Server();

  // Also in Store::GetStatus, as "server".
  StatusSection GetStatus() const;

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_SERVER_SERVER_H_
