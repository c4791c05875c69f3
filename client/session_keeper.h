// Keeps a client connected: one thread that serves the store's Recalls and,
// when the store goes away, tries to connect again until it is back.
#ifndef VITRINE_CLIENT_SESSION_KEEPER_H_
#define VITRINE_CLIENT_SESSION_KEEPER_H_

#include <vitrine/result.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "client/base/deadline.h"
#include "client/base/fork.h"
#include "client/client_core.h"
#include "client/session.h"

namespace vitrine {

// Owns the thread.  Start and destruction by one thread.
class SessionKeeper {
 public:
  SessionKeeper(std::shared_ptr<ClientCore> core, std::string name)
      : core_(std::move(core)), name_(std::move(name)) {}
  SessionKeeper(const SessionKeeper&) = delete;
  SessionKeeper& operator=(const SessionKeeper&) = delete;
  // Retires the session.  In a forked child there is no thread to wait for.
  ~SessionKeeper();

  // Connects to the first of `paths` that answers, and starts the thread.
  // kUnavailable: none answered until `deadline`.  kVersionMismatch.
  Status Start(const std::vector<std::string>& paths, Deadline deadline);

 private:
  Result<std::shared_ptr<Session>> ConnectToAny(
      const std::vector<std::string>& paths, Deadline deadline);
  Status StartThread();
  void Run();
  // Null: the client is closing.
  std::shared_ptr<Session> Reconnect(const std::string& path);
  bool IsStopped(int wait_ms) const;

  const std::shared_ptr<ClientCore> core_;
  const std::string name_;
  PrivateFd stop_;  // An eventfd: readable once the client is closing.
  std::shared_ptr<Session> first_session_;
  std::unique_ptr<std::thread> thread_;
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_SESSION_KEEPER_H_
