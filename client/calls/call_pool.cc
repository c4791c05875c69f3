#include "client/calls/call_pool.h"

namespace vitrine {
namespace {

Error Disconnected(const std::string& why) {
  return Error{Code::kDisconnected, why};
}

// How long a call waits for a store that has many to accept.
constexpr std::chrono::seconds kAcceptTime{5};

Result<std::unique_ptr<Connection>> OpenPatiently(const std::string& path) {
  const Deadline deadline = Clock::now() + kAcceptTime;
  while (true) {
    auto connection = Connection::Open(path);
    if (connection || connection.error().code != Code::kTooMany ||
        RemainingMs(deadline) == 0) {
      return connection;
    }
  }
}

}  // namespace

Result<CallPool::Borrowed> CallPool::Borrow(int cancel_fd) {
  std::unique_ptr<Connection> connection;
  {
    MutexLock lock(mutex_);
    if (closed_) return Disconnected("the store went away");
    if (!idle_.empty()) {
      connection = std::move(idle_.back());
      idle_.pop_back();
      borrowed_.insert(connection.get());
    }
  }
  if (connection == nullptr) {
    auto opened = OpenConnection(cancel_fd);
    if (!opened) return opened.error();
    connection = std::move(*opened);
    MutexLock lock(mutex_);
    if (closed_) return Disconnected("the store went away");
    borrowed_.insert(connection.get());
  }
  return Borrowed(this, std::move(connection));
}

Result<std::unique_ptr<Connection>> CallPool::OpenConnection(int cancel_fd) {
  auto connection = OpenPatiently(path_);
  if (!connection) return CannotCall(connection.error());
  protocol::HelloT hello;
  hello.version = kProtocolVersion;
  hello.role = protocol::Role::kCall;
  hello.name = name_;
  hello.session = session_token_;
  auto message = (*connection)
                     ->Ask(MakeRequest(std::move(hello)),
                           AnswerDeadline(Clock::now()), cancel_fd);
  if (!message) return CannotCall(message.error());
  if (message->response->body_as_HelloReply() == nullptr) {
    return WrongAnswer(**connection);
  }
  return connection;
}

void CallPool::GiveBack(std::unique_ptr<Connection> connection) {
  MutexLock lock(mutex_);
  borrowed_.erase(connection.get());
  if (closed_ || connection->IsBroken() || idle_.size() >= kMaxIdle) return;
  idle_.push_back(std::move(connection));
}

void CallPool::Close() {
  // A thread of the parent may have held the lock at the fork.
  if (fork_generation_ != ForkGeneration()) return;
  MutexLock lock(mutex_);
  closed_ = true;
  idle_.clear();
  for (Connection* connection : borrowed_) connection->Shutdown();
}

Error CallPool::Explain(const Connection& connection, Error error) {
  if (!connection.IsBroken()) return error;  // The store said so.
  if (error.code == Code::kCorruption) on_nonsense_();
  // A call that timed out says nothing about the object.
  if (error.code != Code::kTimeout) return error;
  return Disconnected("the store does not answer");
}

Error CallPool::WrongAnswer(Connection& connection) {
  connection.MarkBroken();
  on_nonsense_();
  return Error{Code::kCorruption, "the store answered something else"};
}

}  // namespace vitrine
