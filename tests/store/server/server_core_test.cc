// Peers that break the protocol, stall, lie or die.
#include "store/server/server_core.h"

#include <fcntl.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <memory>
#include <mutex>
#include <random>
#include <vector>

#include "schema/packet_socket.h"
#include "store/accounts/accounts.h"
#include "store/accounts/descriptor_shares.h"
#include "tests/store/server/server_peer_fixture.h"
#include "tests/support/eventually.h"

namespace vitrine::store {
namespace {

using protocol::Role;

// Counts what is logged while it lives.  Nobody logs when that begins or ends.
class LogCount {
 public:
  LogCount() { sinks().push_back(sink_); }
  LogCount(const LogCount&) = delete;
  LogCount& operator=(const LogCount&) = delete;
  ~LogCount() { sinks().pop_back(); }

  int lines() const { return sink_->lines; }

 private:
  struct Sink : spdlog::sinks::base_sink<std::mutex> {
    void sink_it_(const spdlog::details::log_msg&) override { ++lines; }
    void flush_() override {}
    std::atomic<int> lines = 0;
  };

  static std::vector<spdlog::sink_ptr>& sinks() {
    return spdlog::default_logger()->sinks();
  }

  const std::shared_ptr<Sink> sink_ = std::make_shared<Sink>();
};

class ServerCoreTest : public ServerFixture {
 protected:
  // The server still serves those who behave.
  void ExpectAlive() {
    auto peers = Connect();
    static int number = 0;
    EXPECT_TRUE(peers->call.Ask<protocol::PutReplyT>(
        PutRequest("alive-" + std::to_string(++number), "x")));
  }

  static std::vector<uint8_t> Encode(protocol::RequestT request) {
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(protocol::Request::Pack(builder, &request));
    return {builder.GetBufferPointer(),
            builder.GetBufferPointer() + builder.GetSize()};
  }
  std::vector<uint8_t> ValidCreate() const {
    protocol::RequestT request;
    protocol::CreateT create = CreateRequest("victim", 100);
    create.metadata.push_back(std::make_unique<protocol::MetadataEntryT>());
    create.metadata.back()->name = "name";
    create.metadata.back()->value = {1, 2, 3};
    request.body.Set(std::move(create));
    return Encode(std::move(request));
  }
};

TEST_F(ServerCoreTest, GarbageOfAnySizeEndsTheConnection) {
  std::mt19937 random(1);
  for (const size_t size : {1U, 2U, 3U, 4U, 5U, 7U, 8U, 9U, 15U, 16U, 31U, 64U,
                            255U, 1000U, 4096U, 65536U, 131071U, 131072U}) {
    std::vector<uint8_t> bytes(size);
    std::generate(bytes.begin(), bytes.end(),
                  [&random] { return static_cast<uint8_t>(random()); });
    RawPeer peer(path_);
    ASSERT_TRUE(peer.SendBytes(bytes));
    EXPECT_TRUE(peer.IsClosed()) << size;
  }
  EXPECT_GE(Stat("protocol_errors"), 18U);
  ExpectAlive();
}

TEST_F(ServerCoreTest, PacketBeyondTheGreatestEndsTheConnection) {
  RawPeer peer(path_);
  ASSERT_TRUE(peer.SendBytes(std::vector<uint8_t>(kMaxMessageBytes + 1)));
  EXPECT_TRUE(peer.IsClosed());
  ExpectAlive();
}

TEST_F(ServerCoreTest, EveryTruncationOfARequestIsHarmless) {
  const std::vector<uint8_t> whole = ValidCreate();
  auto peers = Connect();
  for (size_t size = 1; size < whole.size(); ++size) {
    RawPeer call(path_);
    ASSERT_TRUE(JoinSession(&call, peers->token));
    ASSERT_TRUE(call.SendBytes(std::span(whole).first(size)));
    // Most are refused; one that lost only padding may count.
    ASSERT_TRUE(call.Receive().has_value()) << size;
  }
  ExpectAlive();
}

TEST_F(ServerCoreTest, EveryFlippedByteOfARequestIsHarmless) {
  const std::vector<uint8_t> whole = ValidCreate();
  auto peers = Connect();
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::vector<uint8_t> bytes = whole;
      bytes[i] = static_cast<uint8_t>(bytes[i] ^ flip);
      RawPeer call(path_);
      ASSERT_TRUE(JoinSession(&call, peers->token));
      ASSERT_TRUE(call.SendBytes(bytes));
      // A Create that became a Wait or one with another timeout may wait.
      (void)call.Receive(std::chrono::milliseconds(50));
    }
  }
  ExpectAlive();
}

TEST_F(ServerCoreTest, WrongVersionIsToldSo) {
  for (const uint32_t version : {0U, kProtocolVersion + 1, UINT32_MAX}) {
    RawPeer peer(path_);
    auto hello = Hello(Role::kSession);
    hello.version = version;
    EXPECT_EQ(peer.AskForFailure(std::move(hello)), Code::kVersionMismatch);
    EXPECT_TRUE(peer.IsClosed());
  }
}

TEST_F(ServerCoreTest, RequestBeforeHelloEndsTheConnection) {
  RawPeer peer(path_);
  EXPECT_EQ(peer.AskForFailure(protocol::GetStatusT()), Code::kInvalidArgument);
  EXPECT_TRUE(peer.IsClosed());
}

TEST_F(ServerCoreTest, UnknownRoleEndsTheConnection) {
  RawPeer peer(path_);
  EXPECT_EQ(peer.AskForFailure(Hello(static_cast<Role>(77))),
            Code::kInvalidArgument);
  EXPECT_TRUE(peer.IsClosed());
}

TEST_F(ServerCoreTest, SecondHelloEndsTheConnection) {
  auto peers = Connect();
  EXPECT_EQ(peers->call.AskForFailure(Hello(Role::kSession)),
            Code::kInvalidArgument);
  EXPECT_TRUE(peers->call.IsClosed());
  EXPECT_EQ(peers->session.AskForFailure(Hello(Role::kSession)),
            Code::kInvalidArgument);
  EXPECT_TRUE(peers->session.IsClosed());
  EXPECT_TRUE(Eventually([this] { return Stat("sessions") == 0; }));
}

TEST_F(ServerCoreTest, SubscriberThatAsksForSomethingIsClosed) {
  RawPeer events(path_);
  ASSERT_TRUE(events.Ask<protocol::HelloReplyT>(Hello(Role::kEvents)));
  EXPECT_EQ(events.AskForFailure(protocol::GetStatusT()),
            Code::kInvalidArgument);
  EXPECT_TRUE(events.IsClosed());
  EXPECT_TRUE(Eventually([this] { return Stat("subscriptions") == 0; }));
}

TEST_F(ServerCoreTest, ForgedAndStaleTokensOpenNothing) {
  auto peers = Connect();
  std::vector<std::vector<uint8_t>> tokens = {
      {}, std::vector<uint8_t>(kSessionTokenBytes), {1, 2, 3}};
  tokens.push_back(peers->token);
  tokens.back().pop_back();
  for (const auto& token : tokens) {
    RawPeer call(path_);
    EXPECT_FALSE(JoinSession(&call, token));
    EXPECT_EQ(call.failure, Code::kPermissionDenied);
    EXPECT_TRUE(call.IsClosed());
  }
  const std::vector<uint8_t> stale = peers->token;
  peers.reset();
  EXPECT_TRUE(Eventually([this] { return Stat("sessions") == 0; }));
  RawPeer call(path_);
  EXPECT_FALSE(JoinSession(&call, stale));
}

TEST_F(ServerCoreTest, TokenOfAnotherProcessOpensNothing) {
  auto peers = Connect();
  const pid_t child = ::fork();
  if (child == 0) {
    RawPeer call(path_);
    const bool joined = JoinSession(&call, peers->token);
    ::_exit(!joined && call.failure == Code::kPermissionDenied ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(ServerCoreTest, SecondRequestBeforeTheReplyEndsTheConnection) {
  auto peers = Connect();
  ASSERT_TRUE(peers->call.Send(WaitRequest({"never"}, -1)));
  ASSERT_TRUE(Eventually([this] { return Stat("waits") == 1; }));
  EXPECT_EQ(peers->call.AskForFailure(protocol::GetStatusT()),
            Code::kInvalidArgument);
  EXPECT_TRUE(peers->call.IsClosed());
  EXPECT_TRUE(Eventually([this] { return Stat("waits") == 0; }));
}

TEST_F(ServerCoreTest, DescriptorsFromAPeerAreNotKept) {
  auto peers = Connect();
  const std::vector<uint8_t> create = ValidCreate();
  const size_t before = CountDescriptors();
  for (int i = 0; i < 20; ++i) {
    RawPeer call(path_);
    const std::array<int, 3> fds = {call.fd(), STDIN_FILENO, STDOUT_FILENO};
    // Newer kernels refuse to send them.
    (void)call.SendBytes(create, fds);
  }
  EXPECT_TRUE(Eventually([&] { return CountDescriptors() <= before; }));
  ExpectAlive();
}

TEST_F(ServerCoreTest, PeerThatNeverSaysHelloIsClosed) {
  RawPeer silent(path_);
  auto peers = Connect();  // Those who did stay.
  EXPECT_TRUE(silent.IsClosed());
  EXPECT_EQ(Stat("never_said_hello"), 1U);
  EXPECT_TRUE(peers->call.Ask<protocol::StatusReplyT>(protocol::GetStatusT()));
}

TEST_F(ServerCoreTest, ConnectionsThatComeAndGoLeaveNothing) {
  for (int i = 0; i < 2000; ++i) RawPeer peer(path_);
  EXPECT_TRUE(Eventually(
      [this] { return Stat("connections") == 0 && Stat("accepted") == 2000; }));
  ExpectAlive();
}

TEST_F(ServerCoreTest, ConnectionsBeyondTheLimitAreToldWhyAndTheRestGoOn) {
  rlimit limit = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit before = limit;
  server_.reset();
  limit.rlim_cur = std::min<rlim_t>(600, limit.rlim_max);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  server_ = *Server::Start(store_.get(), path_, 0666);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  auto peers = Connect();
  std::vector<RawPeer> crowd;
  for (int i = 0; i < 400; ++i) crowd.emplace_back(path_);
  const uint64_t most = ShareDescriptors(600).connections.total;
  EXPECT_TRUE(Eventually([&] { return Stat("refused") >= 402 - most; }));
  crowd.back().ReceiveA<protocol::DoneT>();
  EXPECT_EQ(crowd.back().failure, Code::kTooMany);
  EXPECT_TRUE(crowd.back().IsClosed());
  EXPECT_TRUE(peers->call.Ask<protocol::PutReplyT>(PutRequest("a", "b")));
  crowd.clear();
  EXPECT_TRUE(Eventually([this] { return Stat("connections") == 2; }));
  ExpectAlive();
}

TEST_F(ServerCoreTest, AUserWithAllHisConnectionsIsToldAndCanGoOn) {
  store_->facts().accounts().SetQuota(
      {.id = ::geteuid(), .limits = {{Resource::kConnections, 3}}});
  auto peers = Connect();
  auto third = std::make_unique<RawPeer>(path_);
  RawPeer fourth(path_);
  fourth.ReceiveA<protocol::DoneT>();
  EXPECT_EQ(fourth.failure, Code::kOverQuota);
  EXPECT_TRUE(fourth.IsClosed());
  third.reset();
  EXPECT_TRUE(Eventually([this] { return Stat("connections") == 2; }));
  RawPeer fifth(path_);
  EXPECT_TRUE(JoinSession(&fifth, peers->token));
}

TEST_F(ServerCoreTest, AUserWithAllHisWaitsIsToldSo) {
  const Party user{Party::Kind::kUser, ::geteuid()};
  store_->facts().accounts().SetQuota(
      {.id = ::geteuid(), .limits = {{Resource::kWaiters, 2}}});
  auto peers = Connect();
  EXPECT_EQ(peers->call.AskForFailure(WaitRequest({"a", "b", "c"}, -1)),
            Code::kOverQuota);
  EXPECT_TRUE(
      peers->call.Ask<protocol::WaitReplyT>(WaitRequest({"a", "b"}, 0)));
  ASSERT_TRUE(peers->call.Send(WaitRequest({"a", "b"}, -1)));
  const auto waits = [&] {
    return store_->facts().accounts().Used(user, Resource::kWaiters);
  };
  EXPECT_TRUE(Eventually([&] { return waits() == 2; }));
  peers->call.Close();
  EXPECT_TRUE(Eventually([&] { return waits() == 0; }));
}

// A connection that there is no descriptor for is told so all the same.
TEST_F(ServerCoreTest, WithoutDescriptorsItRefusesInsteadOfLettingWait) {
  auto peers = Connect();
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const auto address = *MakeSocketAddress(path_);
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit few = before;
  few.rlim_cur = std::min<rlim_t>(before.rlim_cur, 1000);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  std::vector<UniqueFd> all;
  do {
    all.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  } while (all.back().valid());
  ASSERT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address),
                      sizeof(address)),
            0);
  std::vector<uint8_t> buffer(kMaxMessageBytes);
  const auto packet = ReceivePacket(socket.get(), buffer, PacketWait::kWait);
  all.clear();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_TRUE(packet && packet->has_value());
  const auto* response =
      flatbuffers::GetRoot<protocol::Response>((*packet)->bytes.data());
  ASSERT_NE(response->body_as_Failure(), nullptr);
  EXPECT_EQ(response->body_as_Failure()->code(),
            static_cast<uint8_t>(Code::kTooMany));
  // It may be about to refuse one more.
  EXPECT_TRUE(Eventually([this] {
    RawPeer session(path_);
    return session.Ask<protocol::HelloReplyT>(Hello(protocol::Role::kSession))
        .has_value();
  }));
  ExpectAlive();
}

TEST_F(ServerCoreTest, ServerWithoutDescriptorsLeftRecovers) {
  auto peers = Connect();
  const LogCount log;
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  {
    RawPeer waiting(path_);
    ASSERT_TRUE(Eventually([this] { return Stat("connections") == 3; }));
    rlimit none = before;
    none.rlim_cur = 1;  // No new descriptor for anybody in this process.
    UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    const auto address = *MakeSocketAddress(path_);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    EXPECT_EQ(
        ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address),
                  sizeof(address)),
        0);
    const auto failure = peers->call.AskForFailure(CreateRequest("x", 10));
    // It accepts nobody, and tries again.
    EXPECT_TRUE(Eventually([&] { return log.lines() >= 2; }));
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_TRUE(failure.has_value());
    EXPECT_TRUE(Eventually([this] { return Stat("connections") == 4; }));
  }
  ExpectAlive();
}

TEST_F(ServerCoreTest, SessionThatDiesTakesItsObjectsAndCallsWithIt) {
  auto peers = Connect();
  for (uint64_t i = 0; i < 50; ++i) {
    ASSERT_TRUE(peers->call.Ask<protocol::CreateReplyT>(
        CreateRequest("half-" + std::to_string(i), i * 10'000)));
  }
  ASSERT_TRUE(peers->call.Ask<protocol::PutReplyT>(PutRequest("whole", "x")));
  EXPECT_EQ(store_->objects().List(ObjectState::kUnsealed).size(), 50U);
  peers->session.Close();
  EXPECT_TRUE(Eventually(
      [this] { return store_->objects().List(ObjectState::kUnsealed).empty(); },
      std::chrono::seconds(1)));
  EXPECT_TRUE(peers->call.IsClosed());
  EXPECT_TRUE(store_->sealed().FindSealed(Id("whole")));
  EXPECT_TRUE(store_->events().clients().GetStatus().empty());
}

TEST_F(ServerCoreTest, ClientThatDiedIsGoneThoughAChildHasItsConnections) {
  std::array<int, 2> pipe = {-1, -1};
  ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
  UniqueFd read_end(pipe[0]);
  UniqueFd write_end(pipe[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    auto peers = Connect();
    (void)peers->call.Ask<protocol::CreateReplyT>(CreateRequest("half", 10));
    const pid_t grandchild = ::fork();
    if (grandchild == 0) {
      ::alarm(60);
      ::pause();
      ::_exit(0);
    }
    (void)!::write(write_end.get(), &grandchild, sizeof(grandchild));
    ::_exit(0);
  }
  pid_t grandchild = -1;
  ASSERT_EQ(::read(read_end.get(), &grandchild, sizeof(grandchild)),
            static_cast<ssize_t>(sizeof(grandchild)));
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(Eventually([this] { return Stat("sessions") == 0; },
                         std::chrono::seconds(1)));
  EXPECT_TRUE(Eventually(
      [this] { return store_->objects().List(ObjectState::kUnsealed).empty(); },
      std::chrono::seconds(1)));
  ::kill(grandchild, SIGKILL);
}

TEST_F(ServerCoreTest, CallsThatDieWithRequestsPendingLeaveNothing) {
  auto peers = Connect();
  auto hog = peers->call.Ask<protocol::CreateReplyT>(
      CreateRequest("hog", kCapacity - (1 << 20)));
  ASSERT_TRUE(hog);
  for (int i = 0; i < 20; ++i) {
    RawPeer call(path_);
    ASSERT_TRUE(JoinSession(&call, peers->token));
    protocol::CreateT create =
        CreateRequest("late-" + std::to_string(i), 2 << 20);
    create.timeout_ms = -1;
    ASSERT_TRUE(call.Send(std::move(create)));
    RawPeer waiter(path_);
    ASSERT_TRUE(JoinSession(&waiter, peers->token));
    ASSERT_TRUE(waiter.Send(WaitRequest({"never"}, -1)));
  }
  EXPECT_TRUE(Eventually([this] { return Stat("waits") == 0; }));
  // Space for all of them: what is made for the dead goes at once.
  protocol::AbortT abort;
  abort.number = hog->number;
  ASSERT_TRUE(peers->call.Ask<protocol::DoneT>(std::move(abort)));
  EXPECT_TRUE(Eventually([this] {
    return store_->objects().List(ObjectState::kUnsealed).empty();
  }));
}

// There is no space all the while: we keep the memory open.
TEST_F(ServerCoreTest, CreateThatWaitsForSpaceGoesWithItsPeer) {
  auto peers = Connect();
  ASSERT_TRUE(peers->call.Ask<protocol::CreateReplyT>(
      CreateRequest("hog", kCapacity - (1 << 20))));
  for (const uint64_t size : {uint64_t{2} << 20, uint64_t{1} << 20}) {
    // The second size is one that needs no worker.
    RawPeer filler(path_);
    ASSERT_TRUE(JoinSession(&filler, peers->token));
    if (size <= 1 << 20) {
      ASSERT_TRUE(
          filler.Ask<protocol::CreateReplyT>(CreateRequest("fill", 4096)));
    }
    RawPeer call(path_);
    ASSERT_TRUE(JoinSession(&call, peers->token));
    protocol::CreateT create = CreateRequest("late", size);
    create.timeout_ms = -1;
    ASSERT_TRUE(call.Send(std::move(create)));
    ASSERT_TRUE(Eventually([this] {
      return store_->unsealed().FindUnsealed(Id("late")).has_value();
    }));
    call.Close();
    EXPECT_TRUE(Eventually(
        [this] {
          return !store_->unsealed().FindUnsealed(Id("late")).has_value();
        },
        std::chrono::seconds(1)));
  }
}

TEST_F(ServerCoreTest, CreateThatWaitsForSpaceEndsWithTheServer) {
  auto peers = Connect();
  ASSERT_TRUE(peers->call.Ask<protocol::CreateReplyT>(
      CreateRequest("hog", kCapacity - (1 << 20))));
  RawPeer call(path_);
  ASSERT_TRUE(JoinSession(&call, peers->token));
  protocol::CreateT create = CreateRequest("late", 2 << 20);
  create.timeout_ms = -1;
  ASSERT_TRUE(call.Send(std::move(create)));
  ASSERT_TRUE(Eventually([this] {
    return store_->unsealed().FindUnsealed(Id("late")).has_value();
  }));
  server_.reset();
  EXPECT_TRUE(store_->objects().List(ObjectState::kUnsealed).empty());
  EXPECT_TRUE(call.IsClosed());
}

TEST_F(ServerCoreTest, ServerThatEndsClosesEverybody) {
  auto peers = Connect();
  ASSERT_TRUE(peers->call.Send(WaitRequest({"never"}, -1)));
  RawPeer events(path_);
  ASSERT_TRUE(events.Ask<protocol::HelloReplyT>(Hello(Role::kEvents)));
  server_.reset();
  EXPECT_TRUE(peers->session.IsClosed());
  EXPECT_TRUE(peers->call.IsClosed());
  EXPECT_TRUE(events.IsClosed());
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_FALSE(store_->facts().StatusJson().contains("server"));
}

TEST_F(ServerCoreTest, RecallReachesTheSessionAndAStalledOneIsBounded) {
  auto peers = Connect();
  RawPeer stalled(path_);
  ASSERT_TRUE(stalled.Ask<protocol::HelloReplyT>(Hello(Role::kSession)));
  ASSERT_EQ(peers->session.fds.size(), 3U);
  // Say that we keep a mapping.
  for (RawPeer* peer : {&peers->session, &stalled}) {
    auto page = Mapping::Map(peer->fds[1].get(), sizeof(ClientPage),
                             PROT_READ | PROT_WRITE);
    ASSERT_TRUE(page);
    reinterpret_cast<ClientPage*>(page->data())->kept_mappings = 1;
  }
  store_->events().clients().Recall({1, 2, 3});
  const auto recall = peers->session.ReceiveA<protocol::RecallT>();
  ASSERT_TRUE(recall);
  EXPECT_EQ(recall->segments, (std::vector<uint64_t>{1, 2, 3}));
  const std::vector<uint64_t> many(100'000, 7);
  for (int i = 0; i < 20; ++i) {
    store_->events().clients().Recall(many);
    size_t received = 0;
    while (received < many.size()) {
      const auto more = peers->session.ReceiveA<protocol::RecallT>();
      ASSERT_TRUE(more);
      received += more->segments.size();
    }
  }
  EXPECT_GT(Stat("recalls_dropped"), 0U);
  EXPECT_TRUE(peers->call.Ask<protocol::PutReplyT>(PutRequest("a", "b")));
}

}  // namespace
}  // namespace vitrine::store
