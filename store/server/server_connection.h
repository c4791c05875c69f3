#ifndef VITRINE_STORE_SERVER_SERVER_CONNECTION_H_
#define VITRINE_STORE_SERVER_SERVER_CONNECTION_H_

#include <vitrine/result.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "schema/base/unique_fd.h"
#include "schema/protocol.h"
#include "store/base/object.h"
#include "store/server/server_loop.h"
#include "store/server/server_messages.h"

namespace vitrine::store::server {

// A listing under way on a connection: the objects that existed at its start.
struct Listing {
  ObjectState state;
  std::vector<ObjectRef> objects;
  size_t next = 0;
  uint64_t after = 0;  // The cursor that the peer was given for `next`.
};

// A create that the store has not answered yet; it may wait for space.
struct PendingCreate {
  ObjectId id;
  bool finished = false;
};

// One peer.  Owns its socket and the queue of unsent messages.  On the loop's
// thread only.
class Connection {
 public:
  // kIoError: it cannot be watched.  `handler` gets its epoll(7) events.
  static Result<std::unique_ptr<Connection>> Create(uint64_t id,
                                                    UniqueFd socket,
                                                    Credentials peer,
                                                    EventLoop* loop,
                                                    EventLoop::Handler handler);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { loop_->Unwatch(watch_); }

  uint64_t id() const { return id_; }
  const Credentials& peer() const { return peer_; }

  // See server_peer.h.
  UniqueFd OpenPeerProcess() const;
  // Receives one packet into `buffer`, without waiting.
  Result<std::optional<std::span<const uint8_t>>> Receive(
      std::span<uint8_t> buffer) const;
  // Sends a message, or queues it if the peer's buffer is full (back-pressure).
  // With descriptors it is not queued: the connection ends.
  // False: the connection is ending and the message is dropped.
  bool Send(Message message, std::vector<UniqueFd> fds = {});
  // Sends queued messages; the peer's buffer may have room again.
  void Flush();
  // True if no message is queued.
  bool idle() const { return queue_.empty(); }
  size_t queued() const { return queue_.size(); }
  // Receives nothing more from the peer; the loop gets EPOLLHUP.
  void End();
  bool ending() const { return ending_; }

  // The role of the connection, once the peer has sent Hello.
  std::optional<protocol::Role> role;
  uint64_t session = 0;  // kSession, kCall: which.
  bool busy = false;     // A request is under way.
  std::shared_ptr<Listing> listing;
  std::shared_ptr<PendingCreate> creating;  // The last one.
  std::shared_ptr<const void> wants_room;   // A small put; null: none waits.
  EventLoop::Timer hello_timer;

 private:
  struct Outgoing {
    Message message;
    std::vector<UniqueFd> fds;
  };

  Connection(uint64_t id, UniqueFd socket, Credentials peer, EventLoop* loop)
      : id_(id),
        socket_(std::move(socket)),
        peer_(std::move(peer)),
        loop_(loop) {}

  // False: the peer's buffer is full.
  bool SendNow(const Outgoing& outgoing);
  void WantWritable(bool wanted);

  const uint64_t id_;
  const UniqueFd socket_;
  const Credentials peer_;
  EventLoop* const loop_;
  uint64_t watch_ = 0;
  bool want_writable_ = false;
  bool ending_ = false;
  std::deque<Outgoing> queue_;
};

// All peers.  On the loop's thread only.
class ConnectionTable {
 public:
  // Null: it is gone.  Ids are never used twice.
  Connection* Find(uint64_t id) {
    const auto found = connections_.find(id);
    return found == connections_.end() ? nullptr : found->second.get();
  }
  void Add(std::unique_ptr<Connection> connection) {
    const uint64_t id = connection->id();
    connections_.emplace(id, std::move(connection));
  }
  std::unique_ptr<Connection> Take(uint64_t id) {
    auto node = connections_.extract(id);
    return node.empty() ? nullptr : std::move(node.mapped());
  }
  std::vector<uint64_t> Ids() const {
    std::vector<uint64_t> ids;
    for (const auto& [id, connection] : connections_) ids.push_back(id);
    return ids;
  }
  size_t size() const { return connections_.size(); }

 private:
  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;
};

}  // namespace vitrine::store::server

#endif  // VITRINE_STORE_SERVER_SERVER_CONNECTION_H_
