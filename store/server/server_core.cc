#include "store/server/server_core.h"

#include <flatbuffers/flatbuffers.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "store/server/server_peer.h"

namespace vitrine::store::server {
namespace {

constexpr std::chrono::seconds kHelloTime(5);
constexpr size_t kMaxQueuedRecalls = 64;
constexpr size_t kSegmentsPerRecall = 8192;

using protocol::RequestBody;
using protocol::Role;

Error Broken(const char* how) { return Error{Code::kInvalidArgument, how}; }

}  // namespace

ServerCore::ServerCore(Parts parts, ListeningSocket listener)
    : parts_(std::move(parts)),
      acceptor_(std::move(listener), parts_.loop.get(), parts_.stats,
                parts_.access, &parts_.store->facts().accounts(),
                [this](UniqueFd socket, Credentials peer) {
                  OnAccepted(std::move(socket), std::move(peer));
                }),
      buffer_(kMaxMessageBytes / sizeof(uint64_t)),
      sessions_(parts_.store, parts_.catalog),
      waits_(parts_.store, parts_.loop.get(), parts_.stats),
      subscriptions_(parts_.store, parts_.loop.get(), parts_.workers,
                     &connections_, parts_.stats),
      requests_({.store = parts_.store,
                 .loop = parts_.loop,
                 .workers = parts_.workers,
                 .connections = &connections_,
                 .submissions = parts_.submissions,
                 .sessions = &sessions_,
                 .waits = &waits_}) {}

void ServerCore::OnStoreEvents(const EventQueue::Taken& taken) {
  for (const ObjectEvent& event : taken.events) {
    waits_.OnEvent(event);
    subscriptions_.OnEvent(event);
  }
  if (taken.lost == 0) return;
  waits_.LookAgain();
  subscriptions_.OnLost(taken.lost);
}

void ServerCore::CloseAll() {
  acceptor_.Stop();
  closing_all_ = true;
  for (const uint64_t id : connections_.Ids()) Close(id);
}

// --- the life of a connection ---

void ServerCore::OnAccepted(UniqueFd socket, Credentials peer) {
  const uint64_t id = ++last_connection_;
  const Payer payer = PayerOf(peer);
  auto connection = Connection::Create(
      id, std::move(socket), std::move(peer), parts_.loop.get(),
      [this, id](uint32_t events) { OnEvents(id, events); });
  if (!connection) {
    spdlog::warn("socket: {}", connection.error().ToString());
    return acceptor_.Release(payer);
  }
  (*connection)->hello_timer =
      parts_.loop->StartTimer(EventLoop::Clock::now() + kHelloTime, [this, id] {
        ++parts_.stats->never_said_hello;
        Close(id);
      });
  connections_.Add(std::move(*connection));
  parts_.stats->connections = connections_.size();
}

void ServerCore::OnEvents(uint64_t id, uint32_t events) {
  Connection* const connection = connections_.Find(id);
  if (connection == nullptr) return;
  if ((events & EPOLLOUT) != 0 && !connection->ending()) {
    connection->Flush();
    subscriptions_.Pump(id);
  }
  if (connection->ending()) return Close(id);
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    Read(connection);
  }
}

void ServerCore::Read(Connection* connection) {
  const std::span<uint8_t> buffer(reinterpret_cast<uint8_t*>(buffer_.data()),
                                  kMaxMessageBytes);
  const auto bytes = connection->Receive(buffer);
  if (bytes && bytes->has_value()) return OnPacket(connection, **bytes);
  if (bytes) return;
  if (bytes.error().code != Code::kCorruption) return Close(connection->id());
  Violation(connection, bytes.error());
}

void ServerCore::OnPacket(Connection* connection,
                          std::span<const uint8_t> bytes) {
  flatbuffers::Verifier verifier(bytes.data(), bytes.size());
  if (!verifier.VerifyBuffer<protocol::Request>(nullptr)) {
    return Violation(connection, Broken("a packet that is no request"));
  }
  const auto& request = *flatbuffers::GetRoot<protocol::Request>(bytes.data());
  const auto type = static_cast<size_t>(request.body_type());
  auto& counters = parts_.stats->requests;
  if (type < counters.size()) ++counters[type];
  if (!connection->role.has_value()) {
    const protocol::Hello* const hello = request.body_as_Hello();
    if (hello != nullptr) return OnHello(connection, *hello);
    return Violation(connection, Broken("the first request must be Hello"));
  }
  if (*connection->role != Role::kCall) {
    return Violation(connection, Broken("this connection takes no requests"));
  }
  if (connection->busy || !connection->idle()) {
    return Violation(connection, Broken("a request before the last reply"));
  }
  if (request.body_type() == RequestBody::Hello) {
    return Violation(connection, Broken("a second Hello"));
  }
  connection->busy = true;
  requests_.Handle(connection, request);
}

void ServerCore::Close(uint64_t id) {
  const std::unique_ptr<Connection> connection = connections_.Take(id);
  if (connection == nullptr) return;
  parts_.loop->CancelTimer(connection->hello_timer);
  acceptor_.Release(PayerOf(connection->peer()));
  if (connection->role.has_value()) EndRole(id, connection.get());
  // Last: who reads that a connection is gone finds nothing of it.
  parts_.stats->connections = connections_.size();
}

void ServerCore::EndRole(uint64_t id, Connection* connection) {
  switch (*connection->role) {
    case Role::kSession:
      return CloseSession(connection->session);
    case Role::kCall:
      return EndCall(id, connection);
    case Role::kEvents:
      return subscriptions_.Remove(id);
  }
}

void ServerCore::EndCall(uint64_t id, Connection* connection) {
  waits_.Cancel(id);
  if (connection->creating != nullptr) {
    requests_.Abandon(*connection->creating, connection->peer());
  }
  if (connection->wants_room != nullptr) {
    parts_.store->small().EndWaitsForRoom(connection->wants_room.get());
  }
  if (ClientSession* const session = sessions_.Find(connection->session)) {
    session->calls.erase(id);
  }
}

void ServerCore::CloseSession(uint64_t id) {
  const std::unique_ptr<ClientSession> session =
      sessions_.Close(id, !closing_all_);
  parts_.stats->sessions = sessions_.size();
  if (session == nullptr) return;
  parts_.loop->Unwatch(session->process_watch);
  parts_.submissions->Close(id, !closing_all_);
  for (const uint64_t call : session->calls) {
    if (Connection* const connection = connections_.Find(call)) {
      connection->End();
    }
  }
  for (auto& [number, object] : session->objects) {
    requests_.Discard(std::move(object));
  }
}

void ServerCore::Violation(Connection* connection, const Error& error) {
  ++parts_.stats->protocol_errors;
  spdlog::debug("socket: peer {}: {}", connection->peer().pid,
                error.ToString());
  Refuse(connection, error);
}

void ServerCore::Refuse(Connection* connection, const Error& error) {
  connection->Send(FailureMessage(error));
  connection->End();
}

// --- Hello ---

void ServerCore::OnHello(Connection* connection, const protocol::Hello& hello) {
  if (hello.version() != kProtocolVersion) {
    return Violation(connection, Error{Code::kVersionMismatch,
                                       "the store speaks version " +
                                           std::to_string(kProtocolVersion) +
                                           " of the protocol, the client " +
                                           std::to_string(hello.version())});
  }
  parts_.loop->CancelTimer(connection->hello_timer);
  switch (hello.role()) {
    case Role::kSession:
      return OpenSession(connection, hello);
    case Role::kCall:
      return OpenCall(connection, hello);
    case Role::kEvents:
      return OpenEvents(connection, hello);
  }
  Violation(connection, Broken("a Hello for an unknown role"));
}

void ServerCore::OpenSession(Connection* connection,
                             const protocol::Hello& hello) {
  auto index = parts_.store->facts().OpenIndex();
  if (!index) return Refuse(connection, index.error());
  auto segment_dir = parts_.store->facts().OpenSegmentDir();
  if (!segment_dir) return Refuse(connection, segment_dir.error());
  const uint64_t id = connection->id();
  auto opened = sessions_.Open(
      *connection, hello.name() == nullptr ? "" : hello.name()->str(),
      [this, id, loop = parts_.loop](const std::vector<uint64_t>& segments) {
        loop->Post([this, id, segments] { Recall(id, segments); });
      },
      [this, id, loop = parts_.loop] {
        loop->Post([this, id] { RecallBlanks(id); });
      });
  if (!opened) return Refuse(connection, opened.error());
  parts_.stats->sessions = sessions_.size();
  connection->role = Role::kSession;
  connection->session = opened->session->id;
  WatchProcess(opened->session);
  std::vector<UniqueFd> fds;
  fds.push_back(std::move(*index));
  fds.push_back(std::move(opened->page));
  fds.push_back(std::move(*segment_dir));
  connection->Send(Welcome(opened->session->token), std::move(fds));
}

void ServerCore::OpenCall(Connection* connection,
                          const protocol::Hello& hello) {
  const auto* const bytes = hello.session();
  const std::string token =
      bytes == nullptr
          ? std::string()
          : std::string(reinterpret_cast<const char*>(bytes->data()),
                        bytes->size());
  const auto session = sessions_.Authenticate(token, *connection);
  if (!session) return Violation(connection, session.error());
  connection->role = Role::kCall;
  connection->session = (*session)->id;
  (*session)->calls.insert(connection->id());
  connection->Send(Welcome(""));
}

void ServerCore::OpenEvents(Connection* connection,
                            const protocol::Hello& hello) {
  connection->role = Role::kEvents;
  // Subscribes before it replies, so that no event after the reply is missed.
  subscriptions_.Add(connection->id(), hello.want_existing());
  connection->Send(Welcome(""));
}

// When the process ends, the client is dead, even if a child has inherited the
// life-line.
void ServerCore::WatchProcess(ClientSession* session) {
  const Connection* const life_line = connections_.Find(session->connection);
  session->process = life_line->OpenPeerProcess();
  if (!session->process.valid()) return;
  auto watch = parts_.loop->Watch(
      session->process.get(), EPOLLIN,
      [this, id = session->connection](uint32_t) { Close(id); });
  if (watch) session->process_watch = *watch;
}

void ServerCore::Recall(uint64_t connection,
                        const std::vector<uint64_t>& segments) {
  Connection* const peer = connections_.Find(connection);
  if (peer == nullptr) return;
  for (size_t i = 0; i < segments.size(); i += kSegmentsPerRecall) {
    if (peer->queued() >= kMaxQueuedRecalls) {
      ++parts_.stats->recalls_dropped;
      return;
    }
    const size_t count = std::min(segments.size() - i, kSegmentsPerRecall);
    peer->Send(RecallMessage(std::span(segments).subspan(i, count)));
  }
}

void ServerCore::RecallBlanks(uint64_t connection) {
  Connection* const peer = connections_.Find(connection);
  if (peer == nullptr) return;
  const auto blanks = parts_.submissions->BlanksOf(peer->session);
  if (blanks == nullptr || blanks->size() == 0) return;
  if (peer->queued() >= kMaxQueuedRecalls) {
    ++parts_.stats->recalls_dropped;
    return;
  }
  peer->Send(RecallBlanksMessage());
}

Message ServerCore::Welcome(std::string token) const {
  return HelloMessage(
      {.token = std::move(token),
       .memory_dir = parts_.store->facts().memory_dir(),
       .page_bytes = parts_.store->facts().page_bytes(),
       .state_dir = parts_.store->facts().state_dir(),
       .small_object_bytes = parts_.store->small().small_object_bytes()});
}

}  // namespace vitrine::store::server
