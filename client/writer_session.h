#ifndef VITRINE_CLIENT_WRITER_SESSION_H_
#define VITRINE_CLIENT_WRITER_SESSION_H_

#include <vitrine/result.h>

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "client/client_impl.h"
#include "client/session.h"

namespace vitrine {

// The session in which a writer's object was created; it ends with it.
class WriterSession {
 public:
  // `forks_before`: ForksBegun before the segment's descriptor was there.
  WriterSession(std::weak_ptr<ClientImpl> client,
                std::weak_ptr<Session> session, uint64_t forks_before)
      : client_(std::move(client)),
        session_(std::move(session)),
        forks_before_(forks_before) {}

  // The session, if it is still the current one.  kGone.
  Result<std::shared_ptr<Session>> Current() const;
  // Null: it has ended.
  std::shared_ptr<Session> Get() const { return session_.lock(); }
  // Calls `seal`, for a while again if it says kInUse and this process has
  // forked: a child that another thread forks has a copy of the descriptor
  // until its fork handler has run, and this process cannot see when that is.
  Status Seal(const std::function<Status()>& seal) const;
  // No child can have a copy of the descriptor.
  bool NoForks() const;

 private:
  std::weak_ptr<ClientImpl> client_;
  std::weak_ptr<Session> session_;
  uint64_t forks_before_;
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_WRITER_SESSION_H_
