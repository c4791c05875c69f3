#include "store/server/server_acceptor.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "schema/packet_socket.h"
#include "store/accounts/descriptor_shares.h"
#include "store/server/server_messages.h"
#include "store/server/server_peer.h"

namespace vitrine::store::server {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr std::chrono::milliseconds kPause(100);

UniqueFd OpenSpare() {
  return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

bool LacksDescriptors(int errno_value) {
  return errno_value == EMFILE || errno_value == ENFILE;
}

}  // namespace

Acceptor::Acceptor(ListeningSocket listener, EventLoop* loop,
                   ServerStats* stats, Access access, Accounts* accounts,
                   Accepted accepted)
    : listener_(std::move(listener)),
      loop_(loop),
      stats_(stats),
      access_(std::move(access)),
      accepted_(std::move(accepted)),
      connections_(accounts, Resource::kConnections,
                   ShareDescriptors().connections),
      spare_(OpenSpare()) {}

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

void Acceptor::Release(const Payer& payer) { connections_.Release(payer); }

UniqueFd Acceptor::Accept() const {
  return UniqueFd(::accept4(listener_.fd(), nullptr, nullptr,
                            SOCK_CLOEXEC | SOCK_NONBLOCK));
}

void Acceptor::OnReadable() {
  if (!spare_.valid()) spare_ = OpenSpare();
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    UniqueFd socket = Accept();
    if (socket.valid()) {
      Admit(std::move(socket));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (LacksDescriptors(errno)) {
      if (!RefuseOne()) return Pause();
    } else if (errno != ECONNABORTED && errno != EINTR) {
      spdlog::warn("socket: {}", ErrnoError("accept", errno).message);
      return Pause();
    }
  }
}

bool Acceptor::RefuseOne() {
  const Error why = ErrnoError("accept a connection", errno);
  spdlog::warn("socket: {}", why.message);
  if (!spare_.valid()) return false;
  spare_ = UniqueFd();
  UniqueFd socket = Accept();
  if (socket.valid()) Refuse(std::move(socket), why);
  spare_ = OpenSpare();
  return spare_.valid();
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
  if (Status charged = connections_.Charge(PayerOf(*peer)); !charged) {
    return Refuse(std::move(socket), charged.error());
  }
  RefuseDescriptors(socket.get());
  EnlargeSendBuffer(socket.get());
  ++stats_->accepted;
  accepted_(std::move(socket), std::move(*peer));
}

void Acceptor::Refuse(UniqueFd socket, const Error& why) {
  ++stats_->refused;
  const Message message = FailureMessage(why);
  // Best effort: the close tells the peer as well.
  (void)SendPacket(socket.get(), {message->data(), message->size()}, {},
                   PacketWait::kDontWait);
}

void Acceptor::Pause() {
  loop_->Unwatch(watch_);
  watch_ = 0;
  resume_timer_ = loop_->StartTimer(EventLoop::Clock::now() + kPause, [this] {
    if (const Status started = Start(); !started) Pause();
  });
}

}  // namespace vitrine::store::server
