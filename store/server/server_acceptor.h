#ifndef VITRINE_STORE_SERVER_SERVER_ACCEPTOR_H_
#define VITRINE_STORE_SERVER_SERVER_ACCEPTOR_H_

#include <sys/types.h>
#include <vitrine/result.h>

#include <cstddef>
#include <functional>
#include <unordered_map>
#include <utility>

#include "schema/base/unique_fd.h"
#include "store/base/access.h"
#include "store/base/object.h"
#include "store/server/server_listener.h"
#include "store/server/server_loop.h"
#include "store/server/server_stats.h"

namespace vitrine::store::server {

// Accepts new connections, up to half of RLIMIT_NOFILE, because the store
// itself needs descriptors.  One ordinary user gets at most half of them; one
// whom `access` does not admit gets none.
// Others get a Failure and are closed.  On the loop's thread only.
class Acceptor {
 public:
  using Accepted = std::function<void(UniqueFd socket, Credentials peer)>;

  Acceptor(ListeningSocket listener, EventLoop* loop, ServerStats* stats,
           Access access, Accepted accepted);
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;
  ~Acceptor() { Stop(); }

  Status Start();
  void Stop();
  // A connection that was handed to `accepted` is over.
  void Release(uid_t uid);
  const std::string& path() const { return listener_.path(); }

 private:
  void OnReadable();
  void Admit(UniqueFd socket);
  void Refuse(UniqueFd socket, const Error& error);
  bool HasRoom(uid_t uid) const;
  // The process has no descriptors left: the loop would spin on the listener.
  void Pause();

  const ListeningSocket listener_;
  EventLoop* const loop_;
  ServerStats* const stats_;
  const Access access_;
  const Accepted accepted_;
  const size_t limit_;
  uint64_t watch_ = 0;  // 0: not started, or paused.
  EventLoop::Timer resume_timer_;
  size_t connections_ = 0;
  std::unordered_map<uid_t, size_t> by_uid_;
};

}  // namespace vitrine::store::server

#endif  // VITRINE_STORE_SERVER_SERVER_ACCEPTOR_H_
