// Who may use a store (--socket-mode, --socket-group, --allow-users), by each
// way into it: the socket, the mount, and the memory itself.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "tests/system/child_process.h"
#include "tests/system/content.h"
#include "tests/system/files.h"
#include "tests/system/store_process.h"

namespace vitrine {
namespace {

constexpr uid_t kFriend = 54331;
constexpr uid_t kStranger = 54332;
constexpr gid_t kGroup = 54333;
constexpr uint64_t kBytes = 3 << 20;

ObjectId Id(const std::string& id) { return *ObjectId::FromText(id); }

// In a child: says where, and makes it fail.
bool Check(bool condition, const std::string& what) {
  if (!condition) {
    std::fprintf(stderr, "not so (errno %d): %s\n", errno, what.c_str());
  }
  return condition;
}

// Runs `body` as a user with one further group.
bool As(uid_t uid, gid_t group, const std::function<bool()>& body) {
  ChildProcess child(
      [&](const auto&) { return Become(uid, {group}) && body(); });
  return child.Succeeded();
}

class AccessTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become others";
    VITRINE_REQUIRE(WhyNoMount());
  }

  void Start(const std::vector<std::string>& arguments) {
    store_.AddArguments(arguments);
    const Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
    ASSERT_EQ(WriteContent(store_.unsealed("a"), "a", kBytes), 0);
    ASSERT_EQ(Rename(store_.unsealed("a"), store_.sealed("a")), 0);
    WarmTheCaches();
    FindMemory();
  }

  // Whatever the kernel keeps for root, it has.
  void WarmTheCaches() const {
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(Shell("ls -lR '" + store_.mount() + "'"), 0);
      EXPECT_TRUE(FileHasContent(store_.sealed("a"), "a", kBytes));
      EXPECT_TRUE(FileHasContent(Direct(), "a", kBytes));
      EXPECT_EQ(Shell("cat '" + StatusFile() + "'"), 0);
    }
  }

  void FindMemory() {
    memory_ = store_.GetStatus()["memory"]["directory"];
    for (const auto& entry :
         std::filesystem::directory_iterator(memory_ + "/segments")) {
      segments_.push_back(entry.path());
    }
    ASSERT_FALSE(segments_.empty());
  }

  std::string Direct() const { return store_.mount() + "/direct/a"; }
  std::string StatusFile() const { return store_.mount() + "/.vitrine/status"; }

  bool MountIsOpen() const {
    const std::string copy = store_.unsealed(std::to_string(::getpid()));
    struct statvfs usage {};
    struct stat info {};
    return Check(FileHasContent(store_.sealed("a"), "a", kBytes), "sealed") &&
           Check(FileHasContent(Direct(), "a", kBytes), "direct") &&
           Check(TryOpen(StatusFile(), O_RDONLY) == 0, "status") &&
           Check(::stat(store_.sealed("a").c_str(), &info) == 0, "stat") &&
           Check(::statvfs(store_.mount().c_str(), &usage) == 0, "df") &&
           Check(WriteContent(copy, "b", 1000) == 0, "create") &&
           Check(Unlink(copy) == 0, "unlink");
  }
  bool MountIsClosed() const {
    struct stat info {};
    for (const std::string& path :
         {store_.mount() + "/sealed", store_.sealed("a"), Direct(),
          StatusFile()}) {
      if (!Check(TryOpen(path, O_RDONLY) == EACCES, "open " + path) ||
          !Check(::lstat(path.c_str(), &info) != 0 && errno == EACCES,
                 "stat " + path)) {
        return false;
      }
    }
    return Check(TryOpen(store_.mount(), O_RDONLY) == EACCES, "ls") &&
           Check(WriteContent(store_.unsealed("x"), "x", 10) == EACCES,
                 "create") &&
           Check(Rename(store_.sealed("a"), store_.unsealed("a")) == EACCES,
                 "rename") &&
           Check(Unlink(store_.sealed("a")) == EACCES, "unlink") &&
           Check(TryOpen(store_.mount() + "/wait/new", O_RDONLY) == EACCES,
                 "wait");
  }
  // By their names, which somebody may have told.
  bool MemoryIsClosed() const {
    for (const std::string& path : segments_) {
      if (!Check(TryOpen(path, O_RDONLY) == EACCES, path)) return false;
    }
    return Check(TryOpen(memory_ + "/segments", O_RDONLY) == EACCES, "list") &&
           Check(TryOpen(memory_ + "/index", O_RDONLY) == EACCES, "index") &&
           Check(TryOpen(memory_ + "/journal", O_RDONLY) == EACCES, "journal");
  }
  bool SocketIsOpen() const {
    auto client = Client::Connect({.socket_path = store_.socket()});
    if (!Check(client.has_value(), "connect")) return false;
    auto object = client->Get(Id("a"));
    return Check(object.has_value(), "get") &&
           Check(CheckContent("a", object->bytes()) == kBytes, "bytes");
  }
  // The kernel's refusal: the file's mode denies it.
  bool SocketIsClosed() const {
    return Check(
        !Client::Connect({.socket_path = store_.socket(), .timeout = kPoll}),
        "connect");
  }
  // The store's refusal, at once and with the reason.
  bool SocketSaysNo() const {
    auto client =
        Client::Connect({.socket_path = store_.socket(), .timeout = kNever});
    return Check(!client, "connect") &&
           Check(client.error().code == Code::kPermissionDenied,
                 client.error().ToString()) &&
           Check(client.error().message.find("--allow-users") !=
                     std::string::npos,
                 client.error().ToString());
  }

  StoreProcess store_{{.capacity = "64M"}};
  std::string memory_;
  std::vector<std::string> segments_;
};

TEST_F(AccessTest, ByDefaultRootsStoreIsForEverybody) {
  ASSERT_NO_FATAL_FAILURE(Start({}));
  EXPECT_TRUE(As(kStranger, kStranger, [&] { return MountIsOpen(); }));
  EXPECT_TRUE(As(kStranger, kStranger, [&] { return SocketIsOpen(); }));
}

TEST_F(AccessTest, AGroup) {
  ASSERT_NO_FATAL_FAILURE(Start({"--socket-group", std::to_string(kGroup)}));
  EXPECT_TRUE(
      As(kFriend, kGroup, [&] { return MountIsOpen() && SocketIsOpen(); }));
  EXPECT_TRUE(As(kStranger, kStranger, [&] {
    return MountIsClosed() && MemoryIsClosed() && SocketIsClosed();
  }));
  EXPECT_TRUE(MountIsOpen() && SocketIsOpen()) << "root may";
}

TEST_F(AccessTest, AModeForNobodyElse) {
  ASSERT_NO_FATAL_FAILURE(Start({"--socket-mode", "0600"}));
  EXPECT_TRUE(As(kStranger, kGroup, [&] {
    return MountIsClosed() && MemoryIsClosed() && SocketIsClosed();
  }));
  EXPECT_TRUE(MountIsOpen() && SocketIsOpen()) << "root may";
}

TEST_F(AccessTest, AListOfUsers) {
  ASSERT_NO_FATAL_FAILURE(
      Start({"--allow-users", std::to_string(kFriend) + ",54339"}));
  EXPECT_TRUE(
      As(kFriend, kFriend, [&] { return MountIsOpen() && SocketIsOpen(); }));
  // Not even one of root's group.
  for (const gid_t group : {kStranger, gid_t{0}}) {
    EXPECT_TRUE(As(kStranger, group, [&] {
      return MountIsClosed() && MemoryIsClosed() && SocketSaysNo();
    })) << group;
  }
  EXPECT_TRUE(MountIsOpen() && SocketIsOpen()) << "root may";
}

TEST_F(AccessTest, ARestartClosesAndOpensWhatWasThere) {
  ASSERT_NO_FATAL_FAILURE(Start({}));
  store_.Kill();
  store_.AddArguments({"--allow-users=" + std::to_string(kFriend)});
  ASSERT_TRUE(store_.Start());
  WarmTheCaches();
  EXPECT_TRUE(As(kStranger, kStranger, [&] {
    return MountIsClosed() && MemoryIsClosed() && SocketSaysNo();
  }));
  EXPECT_TRUE(
      As(kFriend, kFriend, [&] { return MountIsOpen() && SocketIsOpen(); }));
}

// A client that the next store does not let in gives up, and says why.
TEST_F(AccessTest, AClientOfBeforeHearsThatItMayNotAnyMore) {
  ASSERT_NO_FATAL_FAILURE(Start({}));
  ChildProcess child([&](const ChildProcess::Parent& parent) {
    if (!Become(kStranger)) return false;
    auto client = Client::Connect({.socket_path = store_.socket()});
    if (!Check(client && client->Get(Id("a")), "before")) return false;
    parent.Say();
    parent.Await();
    for (int tries = 0; tries < 1000; ++tries) {
      auto object = client->Get(Id("b"), kPoll);
      if (!object &&
          object.error().message.find("--allow-users") != std::string::npos) {
        return true;
      }
      ::usleep(20000);
    }
    return Check(false, "the reason");
  });
  ASSERT_TRUE(child.AwaitWord());
  ASSERT_EQ(store_.Stop(), 0);
  store_.AddArguments({"--allow-users=" + std::to_string(kFriend)});
  ASSERT_TRUE(store_.Start());
  child.Tell();
  EXPECT_TRUE(child.Succeeded());
}

// Nobody else is admitted to it, so its memory is not open to others either.
TEST_F(AccessTest, AUsersStoreIsForTheUserAlone) {
  const std::string program = ProgramDir() + "/vitrined";
  if (!As(kFriend, kFriend,
          [&] { return ::access(program.c_str(), X_OK) == 0; })) {
    GTEST_SKIP() << program << " is out of the reach of ordinary users";
  }
  if (Shell("grep -qs '^ *user_allow_other' /etc/fuse.conf") == 0) {
    GTEST_SKIP() << "mounts of ordinary users are shared here";
  }
  StoreProcess store({.capacity = "64M", .mount = false, .uid = kFriend});
  const Status started = store.Start();
  ASSERT_TRUE(started) << started.error().ToString();
  const std::vector<std::byte> bytes(kBytes);
  ASSERT_TRUE(store.Connect().Put(Id("a"), bytes));
  const std::string segments =
      store.GetStatus()["memory"]["directory"].get<std::string>() + "/segments";
  const std::filesystem::directory_iterator first(segments);
  const std::string segment = first->path();
  EXPECT_TRUE(As(kStranger, kStranger, [&] {
    return Check(TryOpen(segment, O_RDONLY) == EACCES, segment) &&
           Check(!Client::Connect(
                     {.socket_path = store.socket(), .timeout = kPoll}),
                 "connect");
  }));
  EXPECT_TRUE(As(kFriend, kFriend, [&] {
    return Check(TryOpen(segment, O_RDONLY) == 0, segment);
  }));
}

}  // namespace
}  // namespace vitrine
