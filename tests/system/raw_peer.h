// A connection to a store that says whatever a test wants.
#ifndef VITRINE_TESTS_SYSTEM_RAW_PEER_H_
#define VITRINE_TESTS_SYSTEM_RAW_PEER_H_

#include <gtest/gtest.h>
#include <poll.h>
#include <vitrine/result.h>

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "schema/base/unique_fd.h"
#include "schema/packet_socket.h"
#include "schema/protocol.h"

namespace vitrine {

// The packet of a request.
template <typename T>
std::vector<uint8_t> MakePacket(T body) {
  protocol::RequestT request;
  request.body.Set(std::move(body));
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(protocol::Request::Pack(builder, &request));
  return {builder.GetBufferPointer(),
          builder.GetBufferPointer() + builder.GetSize()};
}

// Move-only.  One thread.
class RawPeer {
 public:
  // Unconnected if nobody listens.
  explicit RawPeer(const std::string& path) {
    auto socket = ConnectPacketSocket(path, std::chrono::seconds(20));
    if (socket) socket_ = *std::move(socket);
  }

  bool connected() const { return socket_.valid(); }
  const std::vector<UniqueFd>& fds() const { return fds_; }

  // False: the store has closed the connection.
  bool Send(std::span<const uint8_t> bytes, std::span<const int> fds = {}) {
    return SendPacket(socket_.get(), bytes, fds, PacketWait::kWait).has_value();
  }

  // Empty: the store closed the connection, or says nothing in time.
  std::optional<protocol::ResponseT> Receive(int timeout_ms = 20'000) {
    pollfd readable{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&readable, 1, timeout_ms) != 1) return std::nullopt;
    auto packet = ReceivePacket(socket_.get(), buffer_, PacketWait::kWait);
    if (!packet || !packet->has_value()) return std::nullopt;
    const auto bytes = (*packet)->bytes;
    fds_ = std::move((*packet)->fds);
    flatbuffers::Verifier verifier(bytes.data(), bytes.size());
    if (!verifier.VerifyBuffer<protocol::Response>(nullptr)) {
      ADD_FAILURE() << "the store sent garbage";
      return std::nullopt;
    }
    protocol::ResponseT response;
    flatbuffers::GetRoot<protocol::Response>(bytes.data())->UnPackTo(&response);
    return response;
  }

  template <typename T>
  std::optional<protocol::ResponseT> Ask(T body) {
    if (!Send(MakePacket(std::move(body)))) return std::nullopt;
    return Receive();
  }
  // Code of the Failure that answers; kDisconnected: it hung up instead.
  // Empty: it did what was asked.
  template <typename T>
  std::optional<Code> AskForFailure(T body) {
    const auto response = Ask(std::move(body));
    if (!response) return Code::kDisconnected;
    const auto* failure = response->body.AsFailure();
    if (failure == nullptr) return std::nullopt;
    return static_cast<Code>(failure->code);
  }

  // True if the store closes the connection in time, whatever it says before.
  bool IsClosed(int timeout_ms = 20'000) {
    for (;;) {
      pollfd readable{.fd = socket_.get(), .events = POLLIN, .revents = 0};
      if (::poll(&readable, 1, timeout_ms) != 1) return false;
      if (!ReceivePacket(socket_.get(), buffer_, PacketWait::kWait)) {
        return true;
      }
    }
  }

 private:
  UniqueFd socket_;
  std::vector<UniqueFd> fds_;
  std::vector<uint8_t> buffer_ = std::vector<uint8_t>(kMaxMessageBytes);
};

inline protocol::HelloT MakeHello(protocol::Role role,
                                  std::vector<uint8_t> session = {}) {
  protocol::HelloT hello;
  hello.version = kProtocolVersion;
  hello.role = role;
  hello.name = "hostile";
  hello.session = std::move(session);
  return hello;
}

// A session with one connection for calls.
struct RawClient {
  explicit RawClient(const std::string& path) : session(path), call(path) {
    const auto reply = session.Ask(MakeHello(protocol::Role::kSession));
    if (!reply || reply->body.AsHelloReply() == nullptr) return;
    token = reply->body.AsHelloReply()->session;
    const auto joined = call.Ask(MakeHello(protocol::Role::kCall, token));
    valid = joined && joined->body.AsHelloReply() != nullptr;
  }

  RawPeer session;
  RawPeer call;
  std::vector<uint8_t> token;
  bool valid = false;
};

}  // namespace vitrine

#endif  // VITRINE_TESTS_SYSTEM_RAW_PEER_H_
