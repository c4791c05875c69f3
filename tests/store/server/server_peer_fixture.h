// A store with a server, and peers that speak the protocol in the raw.
#ifndef VITRINE_TESTS_STORE_SERVER_SERVER_PEER_FIXTURE_H_
#define VITRINE_TESTS_STORE_SERVER_SERVER_PEER_FIXTURE_H_

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "schema/packet_socket.h"
#include "schema/protocol.h"
#include "store/index/client_registry.h"
#include "store/metrics/status_json.h"
#include "store/server/server.h"
#include "store/store.h"
#include "tests/store/store_calls.h"
#include "tests/support/eventually.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::store {

inline constexpr auto kPatience = std::chrono::seconds(20);

inline ObjectId Id(const std::string& text) {
  return *ObjectId::FromText(text);
}

// One connection.  What it is told lies in `fds` and in what Receive returns.
class RawPeer {
 public:
  explicit RawPeer(const std::string& path)
      : socket_(*ConnectPacketSocket(path, kPatience)) {}

  int fd() const { return socket_.get(); }
  void Close() { socket_ = UniqueFd(); }

  // False: the store has closed the connection.
  bool SendBytes(std::span<const uint8_t> bytes,
                 std::span<const int> passed = {}) {
    return SendPacket(socket_.get(), bytes, passed, PacketWait::kWait)
        .has_value();
  }
  template <typename T>
  bool Send(T body) {
    protocol::RequestT request;
    request.body.Set(std::move(body));
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(protocol::Request::Pack(builder, &request));
    return SendBytes({builder.GetBufferPointer(), builder.GetSize()});
  }

  // Empty: the store closed the connection, or said nothing in time.
  std::optional<protocol::ResponseT> Receive(
      std::chrono::milliseconds patience = kPatience) {
    pollfd readable = {socket_.get(), POLLIN, 0};
    if (::poll(&readable, 1, static_cast<int>(patience.count())) != 1) {
      return std::nullopt;
    }
    auto packet = ReceivePacket(socket_.get(), buffer_, PacketWait::kWait);
    if (!packet || !packet->has_value()) return std::nullopt;
    const auto bytes = (*packet)->bytes;
    flatbuffers::Verifier verifier(bytes.data(), bytes.size());
    if (!verifier.VerifyBuffer<protocol::Response>(nullptr)) {
      ADD_FAILURE() << "the store sent garbage";
      return std::nullopt;
    }
    fds = std::move((*packet)->fds);
    protocol::ResponseT response;
    flatbuffers::GetRoot<protocol::Response>(bytes.data())->UnPackTo(&response);
    return response;
  }

  // Empty: as Receive, or it was a Failure, which is in `failure` then.
  template <typename Reply>
  std::optional<Reply> ReceiveA() {
    failure.reset();
    auto response = Receive();
    if (!response) return std::nullopt;
    if (response->body.type == protocol::ReplyBody::Failure) {
      failure = static_cast<Code>(response->body.AsFailure()->code);
      return std::nullopt;
    }
    if (response->body.type !=
        protocol::ReplyBodyUnionTraits<Reply>::enum_value) {
      ADD_FAILURE() << "an unexpected answer: "
                    << protocol::EnumNameReplyBody(response->body.type);
      return std::nullopt;
    }
    return std::move(*reinterpret_cast<Reply*>(response->body.value));
  }
  template <typename Reply, typename T>
  std::optional<Reply> Ask(T body) {
    failure.reset();
    if (!Send(std::move(body))) return std::nullopt;
    return ReceiveA<Reply>();
  }
  // The code of the Failure that answers; none: it was something else.
  template <typename T>
  std::optional<Code> AskForFailure(T body) {
    Ask<protocol::DoneT>(std::move(body));
    return failure;
  }

  // True if the store closes the connection in time, whatever it says before.
  bool IsClosed() {
    for (;;) {
      pollfd readable = {socket_.get(), POLLIN, 0};
      const int ready = ::poll(&readable, 1, 20'000);
      if (ready != 1) return false;
      if (!ReceivePacket(socket_.get(), buffer_, PacketWait::kWait)) {
        return true;
      }
    }
  }

  std::vector<UniqueFd> fds;
  std::optional<Code> failure;

 private:
  UniqueFd socket_;
  std::vector<uint8_t> buffer_ = std::vector<uint8_t>(kMaxMessageBytes);
};

class ServerFixture : public testing::Test {
 protected:
  static constexpr uint64_t kCapacity = 64 << 20;

  // `strict`: every object has its own segment.
  explicit ServerFixture(bool strict = true) {
    StoreOptions options;
    options.capacity_bytes = kCapacity;
    options.state_dir = dir_.path() + "/state";
    options.memory_dir = dir_.path() + "/memory";
    options.strict = strict;
    std::filesystem::create_directory(options.memory_dir);
    auto store = Store::Open(options);
    if (!store) {
      ADD_FAILURE() << store.error().ToString();
      return;
    }
    store_ = std::move(*store);
    descriptors_ = CountDescriptors();
    auto server = Server::Start(store_.get(), path_, 0666);
    if (!server) {
      ADD_FAILURE() << server.error().ToString();
      return;
    }
    server_ = std::move(*server);
  }

  // Whatever happened, no descriptor and no unsealed object is left.
  void TearDown() override {
    if (server_ == nullptr) return;
    server_.reset();
    EXPECT_TRUE(store_->objects().List(ObjectState::kUnsealed).empty());
    EXPECT_TRUE(
        Eventually([this] { return CountDescriptors() <= descriptors_; }));
  }

  uint64_t Stat(const char* name) const {
    return ToJson(server_->GetStatus()).at(name).get<uint64_t>();
  }

  protocol::HelloT Hello(protocol::Role role) const {
    protocol::HelloT hello;
    hello.version = kProtocolVersion;
    hello.role = role;
    hello.name = "test";
    return hello;
  }
  // A session with one call connection.
  struct Peers {
    RawPeer session;
    RawPeer call;
    std::vector<uint8_t> token;
  };
  std::unique_ptr<Peers> Connect() {
    auto peers =
        std::make_unique<Peers>(Peers{RawPeer(path_), RawPeer(path_), {}});
    auto greeting = peers->session.Ask<protocol::HelloReplyT>(
        Hello(protocol::Role::kSession));
    if (!greeting) {
      ADD_FAILURE() << "no session";
      return peers;
    }
    peers->token = greeting->session;
    if (!JoinSession(&peers->call, peers->token)) ADD_FAILURE() << "no call";
    return peers;
  }
  bool JoinSession(RawPeer* call, const std::vector<uint8_t>& token) const {
    protocol::HelloT hello = Hello(protocol::Role::kCall);
    hello.session = token;
    return call->Ask<protocol::HelloReplyT>(std::move(hello)).has_value();
  }

  static protocol::CreateT CreateRequest(const std::string& id, uint64_t size) {
    protocol::CreateT request;
    request.id = id;
    request.size_bytes = size;
    return request;
  }
  static protocol::PutT PutRequest(const std::string& id,
                                   const std::string& data) {
    protocol::PutT request;
    request.id = id;
    request.data.assign(data.begin(), data.end());
    return request;
  }
  static protocol::WaitT WaitRequest(std::vector<std::string> ids,
                                     int64_t timeout_ms) {
    protocol::WaitT request;
    request.ids = std::move(ids);
    request.timeout_ms = timeout_ms;
    return request;
  }

  // An object that nobody's session made.
  ObjectRef CreateDirectly(const std::string& id, uid_t uid = 0) {
    NewObject options;
    options.creator.uid = uid;
    auto object = store_->unsealed().Create(Id(id), options);
    EXPECT_TRUE(object);
    return object ? *object : nullptr;
  }
  ObjectRef SealDirectly(const std::string& id, mode_t mode = 0644,
                         uid_t uid = 0) {
    NewObject options;
    options.creator.uid = uid;
    options.mode = mode;
    auto object = store_->unsealed().Create(Id(id), options);
    EXPECT_TRUE(object);
    EXPECT_TRUE(SealNow(store_.get(), *object, Id(id)));
    return *object;
  }

  ScratchDir dir_;
  std::string path_ = dir_.path() + "/store.sock";
  std::unique_ptr<Store> store_;
  size_t descriptors_ = 0;
  std::unique_ptr<Server> server_;
};

}  // namespace vitrine::store

#endif  // VITRINE_TESTS_STORE_SERVER_SERVER_PEER_FIXTURE_H_
