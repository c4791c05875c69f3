#ifndef VITRINE_CLIENT_CALLS_CALL_POOL_H_
#define VITRINE_CLIENT_CALLS_CALL_POOL_H_

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "client/calls/connection.h"
#include "schema/base/mutex.h"

namespace vitrine {

// The call connections of one session.  Each call under way has a connection of
// its own, so that a blocked call delays no other.  Thread-safe.  Must outlive
// the answers that it gave.
class CallPool {
 public:
  // More idle connections are closed.
  static constexpr size_t kMaxIdle = 8;

  // Gives the connection back when it is destroyed.
  class Borrowed {
   public:
    Borrowed() = default;
    Borrowed(CallPool* pool, std::unique_ptr<Connection> connection)
        : pool_(pool), connection_(std::move(connection)) {}
    Borrowed(Borrowed&&) noexcept = default;
    Borrowed& operator=(Borrowed&&) = delete;
    ~Borrowed() {
      if (connection_ != nullptr) pool_->GiveBack(std::move(connection_));
    }
    Connection* operator->() const { return connection_.get(); }
    Connection& operator*() const { return *connection_; }

   private:
    CallPool* pool_ = nullptr;
    std::unique_ptr<Connection> connection_;
  };

  // `table` is in the connection's buffer, hence valid as long as this lives.
  template <typename Table>
  struct Answer {
    Borrowed connection;
    const Table* table;
    std::vector<PrivateFd> fds;
    const Table* operator->() const { return table; }
  };

  // `on_nonsense` is called, on any thread, when the store's answers make no
  // sense; it must not wait.
  CallPool(std::string path, std::vector<uint8_t> session_token,
           std::string name, std::function<void()> on_nonsense)
      : path_(std::move(path)),
        session_token_(std::move(session_token)),
        name_(std::move(name)),
        on_nonsense_(std::move(on_nonsense)),
        fork_generation_(ForkGeneration()) {}

  // Sends `body` and returns the answer, which is a `Table`.  The store may
  // take until `deadline` plus kAnswerGrace.  kInterrupted: `cancel_fd` became
  // readable first.
  template <typename Table, typename Body>
  Result<Answer<Table>> Ask(Body body, Deadline deadline = Clock::now(),
                            int cancel_fd = -1);
  // Awaits the part that follows `*part` of an answer, and puts it there.
  template <typename Table>
  Status Next(Answer<Table>* part);

  // Ends all calls under way; later ones say kDisconnected.  Does nothing in a
  // forked child, where calls are the parent's.
  void Close() EXCLUDES(mutex_);

 private:
  Result<Borrowed> Borrow(int cancel_fd) EXCLUDES(mutex_);
  Result<std::unique_ptr<Connection>> OpenConnection(int cancel_fd);
  void GiveBack(std::unique_ptr<Connection> connection) EXCLUDES(mutex_);
  Error Explain(const Connection& connection, Error error);
  Error WrongAnswer(Connection& connection);

  const std::string path_;
  const std::vector<uint8_t> session_token_;
  const std::string name_;
  const std::function<void()> on_nonsense_;
  const uint64_t fork_generation_;

  Mutex mutex_;
  bool closed_ GUARDED_BY(mutex_) = false;
  std::vector<std::unique_ptr<Connection>> idle_ GUARDED_BY(mutex_);
  std::set<Connection*> borrowed_ GUARDED_BY(mutex_);
};

template <typename Table, typename Body>
Result<CallPool::Answer<Table>> CallPool::Ask(Body body, Deadline deadline,
                                              int cancel_fd) {
  auto connection = Borrow(cancel_fd);
  if (!connection) return connection.error();
  auto message = (*connection)
                     ->Ask(MakeRequest(std::move(body)),
                           AnswerDeadline(deadline), cancel_fd);
  if (!message) return Explain(**connection, message.error());
  const Table* const table = message->response->template body_as<Table>();
  if (table == nullptr) return WrongAnswer(**connection);
  return Answer<Table>{std::move(*connection), table, std::move(message->fds)};
}

template <typename Table>
Status CallPool::Next(Answer<Table>* part) {
  Connection& connection = *part->connection;
  auto message = connection.Receive(AnswerDeadline(Clock::now()));
  if (!message) {
    connection.MarkBroken();
    return Explain(connection, message.error());
  }
  part->table = message->response->template body_as<Table>();
  if (part->table == nullptr) return WrongAnswer(connection);
  part->fds = std::move(message->fds);
  return {};
}

}  // namespace vitrine

#endif  // VITRINE_CLIENT_CALLS_CALL_POOL_H_
