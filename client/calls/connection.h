// One connection to the store, and the messages on it.
#ifndef VITRINE_CLIENT_CALLS_CONNECTION_H_
#define VITRINE_CLIENT_CALLS_CONNECTION_H_

#include <vitrine/result.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/base/deadline.h"
#include "client/base/fork.h"
#include "schema/protocol.h"

namespace vitrine {

// Owns a socket and a receive buffer.  One thread at a time, except that any
// thread may call Shutdown.
class Connection {
 public:
  // A message of the store.  `response` is verified, and stays valid until the
  // next Receive.
  struct Message {
    const protocol::Response* response = nullptr;
    std::vector<PrivateFd> fds;
  };

  // Connects, but sends nothing yet.  kUnavailable: no store listens at `path`.
  // kTooMany: it has not accepted others yet.
  static Result<std::unique_ptr<Connection>> Open(const std::string& path);

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Status Send(const protocol::RequestT& request);
  // kTimeout: no message came until `deadline`.  kInterrupted: `cancel_fd`
  // became readable.  kCorruption: the message makes no sense.
  Result<Message> Receive(Deadline deadline, int cancel_fd = -1);
  // Send and Receive.  A Failure of the store becomes an Error.  The connection
  // is broken (IsBroken) after kTimeout, kDisconnected and kCorruption, and if
  // the store refused it before it was asked.
  Result<Message> Ask(const protocol::RequestT& request, Deadline deadline,
                      int cancel_fd = -1);

  // Ends the connection: a thread that waits for an answer gets kDisconnected.
  void Shutdown();
  // Requests and answers are no longer in step.
  bool IsBroken() const { return broken_; }
  void MarkBroken() { broken_ = true; }
  int fd() const { return fd_.get(); }

 private:
  explicit Connection(PrivateFd fd);

  Status WaitUntilReadable(Deadline deadline, int cancel_fd);
  Result<Message> ReceiveNow();
  // Why the store closed the connection, if it said so before.
  Error WhyClosed(Error error);

  PrivateFd fd_;
  const uint64_t fork_generation_;
  // uint64_t for the alignment that FlatBuffers wants.
  std::unique_ptr<uint64_t[]> buffer_;
  bool broken_ = false;
};

// An Error for a Failure that the store sent.
Error ToError(const protocol::Failure& failure);
// The code with this number, or kCorruption.
Code ToCode(uint8_t number);

// True: the store, or the user, has no more of something for now.
bool IsRefusal(Code code);
// What a caller is told of a connection that could not be made: the session is
// not the worse for a refusal.
Error CannotCall(const Error& error);

// Wraps `body` (one of the ...T structures) as a request.
template <typename Body>
protocol::RequestT MakeRequest(Body body) {
  protocol::RequestT request;
  request.body.Set(std::move(body));
  return request;
}

}  // namespace vitrine

#endif  // VITRINE_CLIENT_CALLS_CONNECTION_H_
