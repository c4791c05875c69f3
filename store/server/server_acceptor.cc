#include "store/server/server_acceptor.h"

#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "schema/packet_socket.h"
#include "store/server/server_messages.h"
#include "store/server/server_peer.h"

namespace vitrine::store::server {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr std::chrono::milliseconds kPause(100);

size_t ConnectionLimit() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 512;
  constexpr rlim_t kMost = 1'000'000;
  return static_cast<size_t>(std::min(limit.rlim_cur, kMost) / 2);
}

}  // namespace

Acceptor::Acceptor(ListeningSocket listener, EventLoop* loop,
                   ServerStats* stats, Access access, Accepted accepted)
    : listener_(std::move(listener)),
      loop_(loop),
      stats_(stats),
      access_(std::move(access)),
      accepted_(std::move(accepted)),
      limit_(ConnectionLimit()) {}

Status Acceptor::Start() {
  auto watch =
      loop_->Watch(listener_.fd(), EPOLLIN, [this](uint32_t) { OnReadable(); });
  if (!watch) return watch.error();
  watch_ = *watch;
  return {};
}

void Acceptor::Stop() {
  loop_->CancelTimer(resume_timer_);
  loop_->Unwatch(watch_);
  watch_ = 0;
}

void Acceptor::Release(uid_t uid) {
  --connections_;
  const auto found = by_uid_.find(uid);
  if (--found->second == 0) by_uid_.erase(found);
}

void Acceptor::OnReadable() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    UniqueFd socket(::accept4(listener_.fd(), nullptr, nullptr,
                              SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (socket.valid()) {
      Admit(std::move(socket));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (errno != ECONNABORTED && errno != EINTR) {
      spdlog::warn("socket: {}", ErrnoError("accept", errno).message);
      return Pause();
    }
  }
}

void Acceptor::Admit(UniqueFd socket) {
  auto peer = PeerCredentials(socket.get());
  if (!peer) {
    spdlog::warn("socket: {}", peer.error().ToString());
    return;
  }
  if (!access_.Admits(peer->uid)) {
    return Refuse(std::move(socket),
                  Error{Code::kPermissionDenied,
                        "the store does not let user " +
                            std::to_string(peer->uid) + " in (--allow-users)"});
  }
  if (!HasRoom(peer->uid)) {
    return Refuse(
        std::move(socket),
        Error{Code::kUnavailable, "the store has too many connections"});
  }
  RefuseDescriptors(socket.get());
  EnlargeSendBuffer(socket.get());
  ++stats_->accepted;
  ++connections_;
  ++by_uid_[peer->uid];
  accepted_(std::move(socket), std::move(*peer));
}

void Acceptor::Refuse(UniqueFd socket, const Error& error) {
  ++stats_->refused;
  const Message message = FailureMessage(error);
  // Best effort: the close tells the peer as well.
  (void)SendPacket(socket.get(), {message->data(), message->size()}, {},
                   PacketWait::kDontWait);
}

bool Acceptor::HasRoom(uid_t uid) const {
  if (connections_ >= limit_) return false;
  const auto found = by_uid_.find(uid);
  return uid == 0 || uid == ::geteuid() || found == by_uid_.end() ||
         found->second < limit_ / 2;
}

void Acceptor::Pause() {
  loop_->Unwatch(watch_);
  watch_ = 0;
  resume_timer_ = loop_->StartTimer(EventLoop::Clock::now() + kPause, [this] {
    if (const Status started = Start(); !started) Pause();
  });
}

}  // namespace vitrine::store::server
