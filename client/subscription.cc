#include <utility>

#include "client/calls/messages.h"
#include "client/client_impl.h"
#include "client/subscription_impl.h"

namespace vitrine {

Result<std::unique_ptr<SubscriptionImpl>> SubscriptionImpl::Open(
    const std::string& path, const std::string& name, EventsFrom from) {
  auto connection = Connection::Open(path);
  if (!connection) return CannotCall(connection.error());
  protocol::HelloT hello;
  hello.version = kProtocolVersion;
  hello.role = protocol::Role::kEvents;
  hello.name = name;
  hello.want_existing = from == EventsFrom::kExisting;
  auto message =
      (*connection)
          ->Ask(MakeRequest(std::move(hello)), AnswerDeadline(Clock::now()));
  if (!message) return message.error();
  if (message->response->body_as_HelloReply() == nullptr) {
    return Error{Code::kCorruption, "the store answered something else"};
  }
  return std::unique_ptr<SubscriptionImpl>(
      new SubscriptionImpl(std::move(*connection)));
}

Result<Event> SubscriptionImpl::Next(Deadline deadline) {
  if (fork_generation_ != ForkGeneration()) {
    return Error{Code::kForked, "the subscription is the parent process's"};
  }
  if (connection_->IsBroken()) {
    return Error{Code::kDisconnected, "the subscription has ended"};
  }
  auto message = connection_->Receive(deadline);
  if (!message) {
    if (message.error().code == Code::kTimeout) {
      return Error{Code::kTimeout, "no event in time"};
    }
    connection_->MarkBroken();
    return message.error();
  }
  const auto* event = message->response->body_as_Event();
  if (event != nullptr) return UnpackEvent(*event);
  connection_->MarkBroken();
  const auto* failure = message->response->body_as_Failure();
  if (failure != nullptr) return ToError(*failure);
  return Error{Code::kCorruption, "the store sent something else"};
}

Result<Subscription> ClientImpl::Subscribe(EventsFrom from) {
  auto session = core_->Current();
  if (!session) return session.error();
  auto impl = SubscriptionImpl::Open((*session)->path(), name_, from);
  if (!impl) return impl.error();
  return Subscription(std::move(*impl));
}

Subscription::Subscription(std::unique_ptr<SubscriptionImpl> impl)
    : impl_(std::move(impl)) {}
Subscription::Subscription(Subscription&&) noexcept = default;
Subscription& Subscription::operator=(Subscription&&) noexcept = default;
Subscription::~Subscription() = default;

Result<Event> Subscription::Next(Timeout timeout) {
  if (impl_ != nullptr) return impl_->Next(DeadlineAfter(timeout));
  return Error{Code::kInvalidArgument, "the subscription was moved from"};
}

int Subscription::fd() const { return impl_ != nullptr ? impl_->fd() : -1; }

}  // namespace vitrine
