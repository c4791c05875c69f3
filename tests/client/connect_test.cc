// How a client finds the store, loses it, and finds it again.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <vitrine/client.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "schema/base/unique_fd.h"
#include "schema/packet_socket.h"
#include "schema/protocol.h"
#include "tests/client/scratch_dir.h"
#include "tests/client/test_store.h"
#include "tests/support/asleep.h"

namespace vitrine {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

TEST(ConnectTest, SaysWhereItLookedAndWhy) {
  ConnectOptions options;
  options.socket_path = "/dev/shm/no-such-store/socket";
  options.timeout = Timeout(250);
  const auto start = steady_clock::now();
  auto client = Client::Connect(options);
  EXPECT_GE(steady_clock::now() - start, milliseconds(250));
  EXPECT_EQ(CodeOf(client), Code::kUnavailable);
  EXPECT_NE(client.error().message.find(options.socket_path),
            std::string::npos);
  EXPECT_NE(client.error().message.find("No such file"), std::string::npos);
}

TEST(ConnectTest, APathThatIsTooLongIsSaidAtOnce) {
  ConnectOptions options;
  options.socket_path = "/" + std::string(200, 'x');
  options.timeout = kNever;
  EXPECT_EQ(CodeOf(Client::Connect(options)), Code::kInvalidArgument);
}

TEST(ConnectTest, APollTriesOnce) {
  ConnectOptions options;
  options.socket_path = "/dev/shm/no-such-store/socket";
  options.timeout = kPoll;
  const auto start = steady_clock::now();
  EXPECT_FALSE(Client::Connect(options));
  EXPECT_LT(steady_clock::now() - start, milliseconds(90));
}

TEST(ConnectTest, ASocketThatNobodyListensOnIsRefused) {
  ScratchDir dir;
  ConnectOptions options;
  options.socket_path = dir / "socket";
  options.timeout = kPoll;
  {
    const UniqueFd dead(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, options.socket_path.data(),
                options.socket_path.size());
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<sockaddr*>(&address),
                     sizeof(address)),
              0);
  }
  auto client = Client::Connect(options);
  EXPECT_EQ(CodeOf(client), Code::kUnavailable);
  EXPECT_NE(client.error().message.find("refused"), std::string::npos);
}

// Refuses all connections, with `code`, before they say anything.
class RefusingStore {
 public:
  explicit RefusingStore(Code code) : code_(code) {
    listener_ = UniqueFd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    const auto address = *MakeSocketAddress(path());
    EXPECT_EQ(
        ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address),
               sizeof(address)),
        0);
    EXPECT_EQ(::listen(listener_.get(), 64), 0);
    thread_ = std::thread([this] { Run(); });
  }
  ~RefusingStore() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::string path() const { return dir_ / "socket"; }
  int refused() const { return refused_; }

 private:
  void Run() {
    protocol::FailureT failure;
    failure.code = static_cast<uint8_t>(code_);
    failure.message = "three connections and no more";
    protocol::ResponseT response;
    response.body.Set(std::move(failure));
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(protocol::Response::Pack(builder, &response));
    while (true) {
      const UniqueFd peer(
          ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!peer.valid()) return;
      ++refused_;
      (void)SendPacket(peer.get(),
                       {builder.GetBufferPointer(), builder.GetSize()}, {},
                       PacketWait::kWait);
    }
  }

  const Code code_;
  ScratchDir dir_;
  UniqueFd listener_;
  std::atomic<int> refused_ = 0;
  std::thread thread_;
};

TEST(ConnectTest, AQuotaIsSaidAtOnceHoweverSoonTheStoreCloses) {
  RefusingStore store(Code::kOverQuota);
  ConnectOptions options;
  options.socket_path = store.path();
  options.timeout = kNever;
  for (int i = 1; i <= 200; ++i) {
    auto client = Client::Connect(options);
    ASSERT_EQ(CodeOf(client), Code::kOverQuota) << client.error().message;
    ASSERT_EQ(client.error().message, "three connections and no more");
    ASSERT_EQ(store.refused(), i);
  }
}

TEST(ConnectTest, AFullStoreIsAskedAgainUntilTheTimeout) {
  RefusingStore store(Code::kTooMany);
  ConnectOptions options;
  options.socket_path = store.path();
  options.timeout = Timeout(350);
  auto client = Client::Connect(options);
  EXPECT_EQ(CodeOf(client), Code::kTooMany);
  EXPECT_NE(client.error().message.find("no more"), std::string::npos);
  EXPECT_GE(store.refused(), 2);
}

TEST(ConnectTest, TheEnvironmentSaysWhereTheStoreIs) {
  TestStore store;
  ::setenv("VITRINE_SOCKET", store.socket().c_str(), 1);
  auto client = Client::Connect();
  ::setenv("VITRINE_SOCKET", "/dev/shm/no-such-store/socket", 1);
  ConnectOptions options;
  options.timeout = kPoll;
  auto nobody = Client::Connect(options);
  ::unsetenv("VITRINE_SOCKET");
  EXPECT_TRUE(client);
  // Nowhere else: the user said where.
  EXPECT_EQ(nobody.error().message.find("/run/"), std::string::npos);
}

TEST(ConnectTest, WaitsForAStoreThatComesLater) {
  ScratchDir dir;
  TestStore store;
  const std::string path = store.socket();
  store.Signal(SIGTERM);
  const pid_t connecting = ::gettid();
  std::thread starter([&] {
    EXPECT_TRUE(FallsAsleep(connecting));
    store.Start();
  });
  auto options = store.Options();
  options.timeout = Timeout(60000);
  EXPECT_TRUE(Client::Connect(options));
  starter.join();
}

TEST(ConnectTest, TheThreadHasAllSignalsBlocked) {
  TestStore store;
  const Client client = store.Connect();
  constexpr uint64_t kHandledSignals = 1 << (SIGHUP - 1) | 1 << (SIGINT - 1) |
                                       1 << (SIGTERM - 1) | 1 << (SIGCHLD - 1) |
                                       1 << (SIGUSR1 - 1);
  int blocked = 0;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream status(task.path() / "status");
    std::stringstream text;
    text << status.rdbuf();
    const size_t mask = text.str().find("SigBlk:") + 7;
    const uint64_t bits = std::stoull(text.str().substr(mask), nullptr, 16);
    if ((bits & kHandledSignals) == kHandledSignals) ++blocked;
  }
  EXPECT_GE(blocked, 1);
}

class ReconnectTest : public testing::Test {
 protected:
  bool IsDisconnected() {
    auto object = client_.Get(Id("none"));
    return !object && object.error().code == Code::kDisconnected;
  }
  bool IsConnected() {
    auto object = client_.Get(Id("none"));
    return !object && object.error().code == Code::kNotFound;
  }

  TestStore store_;
  Client client_ = store_.Connect();
};

TEST_F(ReconnectTest, CallsSayAtOnceThatTheStoreIsGone) {
  store_.Kill();
  ASSERT_TRUE(Eventually([&] { return IsDisconnected(); }));
  const auto start = steady_clock::now();
  EXPECT_EQ(CodeOf(client_.Get(Id("a"), kNever)), Code::kDisconnected);
  EXPECT_EQ(CodeOf(client_.Create(Id("a"), 1)), Code::kDisconnected);
  EXPECT_EQ(CodeOf(client_.Put(Id("a"), {})), Code::kDisconnected);
  EXPECT_EQ(CodeOf(client_.List()), Code::kDisconnected);
  EXPECT_EQ(CodeOf(client_.Contains(Id("a"))), Code::kDisconnected);
  EXPECT_EQ(CodeOf(client_.DeleteMany({})), Code::kDisconnected);
  EXPECT_EQ(CodeOf(client_.Subscribe(EventsFrom::kExisting)),
            Code::kDisconnected);
  EXPECT_EQ(CodeOf(client_.StateDir()), Code::kDisconnected);
  EXPECT_LT(steady_clock::now() - start, milliseconds(1000));
}

TEST_F(ReconnectTest, SealedObjectsAreThereAfterTheStoreWasKilled) {
  const std::string text = Content(1, 200000);
  ASSERT_TRUE(client_.Put(Id("a"), BytesOf(text)));
  const Object in_hand = *client_.Get(Id("a"));
  for (int round = 0; round < 3; ++round) {
    store_.Kill();
    ASSERT_TRUE(Eventually([&] { return IsDisconnected(); }));
    EXPECT_TRUE(TextOf(in_hand) == text);
    store_.Start();
    ASSERT_TRUE(Eventually([&] { return IsConnected(); }));
    auto again = client_.Get(Id("a"));
    ASSERT_TRUE(again) << again.error().ToString();
    EXPECT_TRUE(TextOf(*again) == text);
    EXPECT_TRUE(TextOf(in_hand) == text);
  }
}

// Invariants (1) and (2) of Session.
TEST_F(ReconnectTest, WhatIsInHandFromBeforeIsNotEvicted) {
  const std::string text = Content(1, 200000);
  ASSERT_TRUE(client_.Put(Id("a"), BytesOf(text)));
  ASSERT_TRUE(client_.Put(Id("b"), BytesOf(text)));
  ASSERT_TRUE(client_.Get(Id("b")));  // Its mapping is kept.
  std::optional<Object> in_hand = *client_.Get(Id("a"));
  store_.Kill();
  store_.Start();
  ASSERT_TRUE(Eventually([&] { return IsConnected(); }));
  ASSERT_TRUE(client_.Evict(uint64_t{1} << 30));
  EXPECT_TRUE(*client_.Contains(Id("a")));
  EXPECT_FALSE(*client_.Contains(Id("b")));
  in_hand.reset();
  ASSERT_TRUE(client_.Evict(uint64_t{1} << 30));
  EXPECT_FALSE(*client_.Contains(Id("a")));
}

TEST_F(ReconnectTest, WritersOfALostStoreAreGone) {
  auto during = client_.Create(Id("a"), 10, {.announce = true});
  auto after = client_.Create(Id("b"), 10, {.announce = true});
  auto dropped = client_.Create(Id("c"), 10, {.announce = true});
  ASSERT_TRUE(during && after && dropped);
  store_.Kill();
  ASSERT_TRUE(Eventually([&] { return IsDisconnected(); }));
  std::memset(during->bytes().data(), 1, 10);  // Still memory.
  EXPECT_EQ(CodeOf(during->Seal()), Code::kDisconnected);
  store_.Start();
  ASSERT_TRUE(Eventually([&] { return IsConnected(); }));
  EXPECT_EQ(CodeOf(after->Seal()), Code::kGone);
  EXPECT_EQ(client_.List(Listed::kUnsealed)->size(), 0u);
}

TEST_F(ReconnectTest, AStoreThatWasStoppedTakesItsObjectsAlong) {
  ASSERT_TRUE(client_.Put(Id("a"), BytesOf("hello")));
  const Object in_hand = *client_.Get(Id("a"));
  store_.Signal(SIGTERM);
  store_.Start();
  ASSERT_TRUE(Eventually([&] { return IsConnected(); }));
  EXPECT_FALSE(*client_.Contains(Id("a")));
  EXPECT_EQ(TextOf(in_hand), "hello");
}

TEST_F(ReconnectTest, AWriterOutlivesItsClientWithoutHarm) {
  std::optional<Client> second = store_.Connect();
  auto writer = second->Create(Id("a"), 10, {.announce = true});
  ASSERT_TRUE(writer);
  second.reset();
  EXPECT_EQ(CodeOf(writer->Seal()), Code::kGone);
  EXPECT_TRUE(Eventually(
      [&] { return CodeOf(client_.Stat(Id("a"))) == Code::kNotFound; }));
}

TEST_F(ReconnectTest, GetsGoOnWhileTheStoreComesAndGoes) {
  const std::string text = Content(1, 200000);
  ASSERT_TRUE(client_.Put(Id("a"), BytesOf(text)));
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  std::atomic<int> right = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        auto object = client_.Get(Id("a"), Timeout(100));
        if (!object && object.error().code != Code::kDisconnected) ++wrong;
        if (object && TextOf(*object) != text) ++wrong;
        if (object) ++right;
      }
    });
  }
  for (int round = 0; round < 5; ++round) {
    const int before = right;
    EXPECT_TRUE(Eventually([&] { return right > before + 100; }));
    store_.Kill();
    store_.Start();
  }
  EXPECT_TRUE(Eventually([&] { return IsConnected(); }));
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace vitrine
