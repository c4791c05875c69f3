#include "store/server/server_connection.h"

#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <utility>

#include "schema/packet_socket.h"
#include "store/server/server_peer.h"

namespace vitrine::store::server {

Result<std::unique_ptr<Connection>> Connection::Create(
    uint64_t id, UniqueFd socket, Credentials peer, EventLoop* loop,
    EventLoop::Handler handler) {
  const int fd = socket.get();
  std::unique_ptr<Connection> connection(
      new Connection(id, std::move(socket), std::move(peer), loop));
  auto watch = loop->Watch(fd, EPOLLIN | EPOLLRDHUP, std::move(handler));
  if (!watch) return watch.error();
  connection->watch_ = *watch;
  return connection;
}

UniqueFd Connection::OpenPeerProcess() const {
  return server::OpenPeerProcess(socket_.get(), peer_.pid);
}

Result<std::optional<std::span<const uint8_t>>> Connection::Receive(
    std::span<uint8_t> buffer) const {
  return ReceiveBytes(socket_.get(), buffer, PacketWait::kDontWait);
}

bool Connection::Send(Message message, std::vector<UniqueFd> fds) {
  if (ending_) return false;
  Outgoing outgoing{std::move(message), std::move(fds)};
  if (!queue_.empty() || !SendNow(outgoing)) {
    // Such an answer has room if the peer has read those before, as it should:
    // peers that do not must not take the store's descriptors.
    if (!outgoing.fds.empty()) {
      End();
      return false;
    }
    queue_.push_back(std::move(outgoing));
    WantWritable(true);
  }
  return !ending_;
}

void Connection::Flush() {
  while (!queue_.empty()) {
    Outgoing front = std::move(queue_.front());
    queue_.pop_front();
    if (SendNow(front)) continue;
    queue_.push_front(std::move(front));
    break;
  }
  WantWritable(!queue_.empty());
}

void Connection::End() {
  if (std::exchange(ending_, true)) return;
  queue_.clear();
  // The peer can still read sent messages; the loop gets EPOLLHUP.
  ::shutdown(socket_.get(), SHUT_RDWR);
}

bool Connection::SendNow(const Outgoing& outgoing) {
  std::vector<int> fds;
  for (const UniqueFd& fd : outgoing.fds) fds.push_back(fd.get());
  const auto sent = SendPacket(
      socket_.get(), {outgoing.message->data(), outgoing.message->size()}, fds,
      PacketWait::kDontWait);
  if (sent) return *sent;
  if (sent.error().code != Code::kDisconnected) {
    spdlog::warn("socket: peer {}: {}", peer_.pid, sent.error().ToString());
  }
  End();
  return true;
}

void Connection::WantWritable(bool wanted) {
  if (wanted == want_writable_) return;
  want_writable_ = wanted;
  loop_->SetEvents(watch_, EPOLLIN | EPOLLRDHUP |
                               (wanted ? uint32_t{EPOLLOUT} : uint32_t{0}));
}

}  // namespace vitrine::store::server
