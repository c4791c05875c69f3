#ifndef VITRINE_CLIENT_SUBSCRIPTION_IMPL_H_
#define VITRINE_CLIENT_SUBSCRIPTION_IMPL_H_

#include <vitrine/client.h>

#include <memory>
#include <string>
#include <utility>

#include "client/base/deadline.h"
#include "client/calls/connection.h"

namespace vitrine {

// A connection of role kEvents.  One thread at a time.
class SubscriptionImpl {
 public:
  static Result<std::unique_ptr<SubscriptionImpl>> Open(const std::string& path,
                                                        const std::string& name,
                                                        EventsFrom from);

  Result<Event> Next(Deadline deadline);
  int fd() const { return connection_->fd(); }

 private:
  explicit SubscriptionImpl(std::unique_ptr<Connection> connection)
      : connection_(std::move(connection)),
        fork_generation_(ForkGeneration()) {}

  std::unique_ptr<Connection> connection_;
  uint64_t fork_generation_;
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_SUBSCRIPTION_IMPL_H_
