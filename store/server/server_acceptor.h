#ifndef VITRINE_STORE_SERVER_SERVER_ACCEPTOR_H_
#define VITRINE_STORE_SERVER_SERVER_ACCEPTOR_H_

#include <vitrine/result.h>

#include <cstdint>
#include <functional>
#include <string>

#include "schema/base/unique_fd.h"
#include "store/accounts/shared_limit.h"
#include "store/base/access.h"
#include "store/base/object.h"
#include "store/server/server_listener.h"
#include "store/server/server_loop.h"
#include "store/server/server_stats.h"

namespace vitrine::store::server {

// Accepts new connections: in all up to a share of the process's descriptors,
// of each user up to the user's limit, and none of a user whom `access` does
// not admit.  A connection that is refused gets a Failure, which says why, and
// is closed.  On the loop's thread only.
class Acceptor {
 public:
  using Accepted = std::function<void(UniqueFd socket, Credentials peer)>;

  Acceptor(ListeningSocket listener, EventLoop* loop, ServerStats* stats,
           Access access, Accounts* accounts, Accepted accepted);
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;
  ~Acceptor() { Stop(); }

  Status Start();
  void Stop();
  // A connection that was handed to `accepted` is over.
  void Release(const Payer& payer);
  const std::string& path() const { return listener_.path(); }

 private:
  void OnReadable();
  UniqueFd Accept() const;
  void Admit(UniqueFd socket);
  void Refuse(UniqueFd socket, const Error& why);
  // Accepts one that there is no descriptor for, to tell it so.  False: it
  // cannot even do that.
  bool RefuseOne();
  // Stops for a while: else the loop would spin on the listener.
  void Pause();

  const ListeningSocket listener_;
  EventLoop* const loop_;
  ServerStats* const stats_;
  const Access access_;
  const Accepted accepted_;
  SharedLimit connections_;
  // Gives way to a connection that is refused because there is no other.
  UniqueFd spare_;
  uint64_t watch_ = 0;  // 0: not started, or paused.
  EventLoop::Timer resume_timer_;
};

}  // namespace vitrine::store::server

#endif  // VITRINE_STORE_SERVER_SERVER_ACCEPTOR_H_
