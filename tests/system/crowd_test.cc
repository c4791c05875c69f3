// One user takes all that he can get: open files and directories, connections,
// waits.  The others go on, he is told which limit it is, and all of it comes
// back.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "schema/base/sanitizers.h"
#include "tests/support/eventually.h"
#include "tests/system/child_process.h"
#include "tests/system/files.h"
#include "tests/system/store_process.h"

namespace vitrine {
namespace {

constexpr uid_t kGreedy = 54321;
constexpr uid_t kOther = 54322;
// Few, so that it is quick.
constexpr uint64_t kDescriptors = 800;
constexpr int kProcesses = 3;
constexpr uint64_t kBytes = 300'000;

ObjectId Id(const std::string& id) { return *ObjectId::FromText(id); }

// What a child tells.
struct Told {
  std::atomic<int> count;
  std::atomic<int> error;   // An errno, or a Code.
  std::atomic<bool> named;  // The message says which limit.
};

// Memory that children share with the test.
class Board {
 public:
  Told& operator[](int i) { return reinterpret_cast<Told*>(memory_)[i]; }

 private:
  void* const memory_ = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
};

class CrowdTest : public testing::Test {
 protected:
  void Start(StoreProcessOptions options) {
    options.most_descriptors = kDescriptors;
    store_ = std::make_unique<StoreProcess>(std::move(options));
    const Status started = store_->Start();
    ASSERT_TRUE(started) << started.error().ToString();
  }

  // Makes files as `uid`, writes to them and keeps them open, until that
  // fails.  It has them as long as the child lives.
  std::unique_ptr<ChildProcess> OpenMany(int number, uid_t uid = kGreedy) {
    return std::make_unique<ChildProcess>([=, this](const auto& parent) {
      if (!Become(uid)) return false;
      Told& told = board_[number];
      while (told.error == 0) {
        const std::string name =
            std::to_string(number) + "-" + std::to_string(told.count);
        const int fd = ::open(store_->unsealed(name).c_str(),
                              O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
        if (fd < 0 || ::write(fd, "x", 1) != 1) {
          told.error = errno;
        } else {
          ++told.count;
        }
      }
      parent.Say();
      parent.Await();
      return true;
    });
  }

  // Create, write, seal and read through the mount; put and get natively.
  bool Works(uid_t uid) {
    ChildProcess child([this, uid](const auto&) {
      if (uid != 0 && !Become(uid)) return false;
      const std::string name =
          "of-" + std::to_string(uid) + "-" + std::to_string(++rounds_);
      int error = WriteContent(store_->unsealed(name), name, kBytes);
      if (error == 0)
        error = Rename(store_->unsealed(name), store_->sealed(name));
      if (error != 0) std::fprintf(stderr, "uid %u: errno %d\n", uid, error);
      return error == 0 && FileHasContent(store_->sealed(name), name, kBytes) &&
             WorksNatively(name);
    });
    ++rounds_;
    return child.Succeeded();
  }
  bool WorksNatively(const std::string& name) {
    auto client = Client::Connect({.socket_path = store_->socket()});
    if (!client) {
      std::fprintf(stderr, "%s\n", client.error().ToString().c_str());
      return false;
    }
    const std::vector<std::byte> bytes(100'000, std::byte{7});
    return client->Put(Id(name + "-native"), bytes) &&
           client->Get(Id(name + "-native")).has_value();
  }

  uint64_t StatusNumber(const char* section, const char* name) const {
    return store_->GetStatus()[section][name].get<uint64_t>();
  }

  // Of the store process: "RssAnon:", "RssShmem:", in bytes.
  uint64_t MemoryOf(const std::string& kind) const {
    std::ifstream file("/proc/" + std::to_string(store_->pid()) + "/status");
    const std::string status(std::istreambuf_iterator<char>(file), {});
    const size_t at = status.find(kind);
    return at == status.npos
               ? 0
               : std::stoull(status.substr(at + kind.size())) * 1024;
  }

  std::unique_ptr<StoreProcess> store_;
  Board board_;
  int rounds_ = 0;
};

class CrowdOfFilesTest : public CrowdTest,
                         public testing::WithParamInterface<const char*> {};

TEST_P(CrowdOfFilesTest, OneUserLeavesDescriptorsToOthers) {
  VITRINE_REQUIRE(WhyNotRoot());
  VITRINE_REQUIRE(WhyNoMount());
  if (std::string_view(GetParam()) == "on") {
    VITRINE_REQUIRE(WhyNoPassthrough());
  }
  Start({.passthrough = GetParam()});
  std::vector<std::unique_ptr<ChildProcess>> children;
  for (int i = 0; i < kProcesses; ++i) {
    children.push_back(OpenMany(i));
    ASSERT_TRUE(children.back()->AwaitWord());
  }
  for (int i = 0; i < kProcesses; ++i) EXPECT_EQ(board_[i].error, EDQUOT) << i;
  EXPECT_GT(board_[0].count, 50);
  EXPECT_LT(store_->OpenDescriptors(), kDescriptors / 2);
  EXPECT_TRUE(Works(kOther));
  EXPECT_TRUE(Works(0));
  children.clear();
  EXPECT_TRUE(
      Eventually([this] { return StatusNumber("mount", "open_files") == 0; }));
  const auto again = OpenMany(kProcesses);
  ASSERT_TRUE(again->AwaitWord());
  EXPECT_EQ(board_[kProcesses].count, board_[0].count);
}

INSTANTIATE_TEST_SUITE_P(Passthrough, CrowdOfFilesTest,
                         testing::Values("on", "off"), [](const auto& param) {
                           return std::string(param.param);
                         });

// Two users take their shares; root has its reserve.
TEST_F(CrowdTest, RootHasDescriptorsThoughTheOthersHaveAllTheirs) {
  VITRINE_REQUIRE(WhyNotRoot());
  VITRINE_REQUIRE(WhyNoMount());
  Start({.passthrough = "off"});
  std::vector<std::unique_ptr<ChildProcess>> children;
  for (int i = 0; i < 3; ++i) {
    children.push_back(OpenMany(i, kGreedy + static_cast<uid_t>(i)));
    ASSERT_TRUE(children.back()->AwaitWord());
  }
  EXPECT_EQ(board_[0].error, EDQUOT);
  EXPECT_EQ(board_[1].error, ENFILE);  // All of the ordinary users have theirs.
  EXPECT_EQ(board_[2].error, ENFILE);
  EXPECT_EQ(board_[2].count, 0);
  EXPECT_TRUE(Works(0));
}

class CrowdOfDirectoriesTest : public CrowdTest {
 protected:
  static constexpr int kObjects = 50'000;

  void PutMany() {
    auto client = Client::Connect({.socket_path = store_->socket()});
    ASSERT_TRUE(client) << client.error().ToString();
    for (int i = 0; i < kObjects; ++i) {
      ASSERT_TRUE(client->Put(Id("small-" + std::to_string(i)), {}));
    }
  }
  // Begins to read `path` by one open after the other, until that fails, and
  // keeps them.
  std::unique_ptr<ChildProcess> BeginToReadMany(const std::string& path) {
    return std::make_unique<ChildProcess>([=, this](const auto& parent) {
      if (!Become(kGreedy)) return false;
      Told& told = board_[0];
      while (told.error == 0) {
        DIR* const dir = ::opendir(path.c_str());
        if (dir == nullptr || ::readdir(dir) == nullptr) {
          told.error = errno;
        } else {
          ++told.count;
        }
      }
      parent.Say();
      parent.Await();
      return true;
    });
  }
};

TEST_F(CrowdOfDirectoriesTest, OneUserMakesTheStoreNoLarger) {
  VITRINE_REQUIRE(WhyNotRoot());
  VITRINE_REQUIRE(WhyNoMount());
  Start({});
  PutMany();
  const uint64_t before = MemoryOf("RssAnon:");
  auto crowd = BeginToReadMany(store_->mount() + "/sealed");
  ASSERT_TRUE(crowd->AwaitWord());
  EXPECT_EQ(board_[0].error, EDQUOT);
  EXPECT_GT(board_[0].count, 50);
  // A list of all objects has 0.8 MB, and 2 MB while it is made.
  if (!kAddressSanitizer && !kThreadSanitizer) {
    EXPECT_LT(MemoryOf("RssAnon:"), before + (uint64_t{32} << 20));
  }
  EXPECT_TRUE(Works(kOther));
  EXPECT_TRUE(Works(0));
  crowd.reset();
  EXPECT_TRUE(Eventually(
      [this] { return StatusNumber("mount", "open_directories") == 0; }));
}

class CrowdOfClientsTest : public CrowdTest {
 protected:
  // Connects as `kGreedy` and puts an object by each client, until that fails.
  // Keeps the connections.
  std::unique_ptr<ChildProcess> ConnectMany() {
    return std::make_unique<ChildProcess>([this](const auto& parent) {
      if (!Become(kGreedy)) return false;
      std::list<Client> clients;
      Told& told = board_[0];
      while (told.count < 3000 && told.error == 0) {
        auto client = Client::Connect({.socket_path = store_->socket()});
        Status put = client ? client->Put(Id(std::to_string(told.count)), {})
                            : Status(client.error());
        if (put) {
          clients.push_back(*std::move(client));
          ++told.count;
          continue;
        }
        told.named = put.error().message.find("the clients of user") !=
                     std::string::npos;
        told.error = static_cast<int>(put.error().code);
        if (!told.named)
          std::fprintf(stderr, "%s\n", put.error().message.c_str());
      }
      parent.Say();
      parent.Await();
      ::_exit(0);
    });
  }
};

TEST_F(CrowdOfClientsTest, OneUserIsToldOfTheLimitAndOthersConnect) {
  VITRINE_REQUIRE(WhyNotRoot());
  Start({.capacity = "64M", .mount = false});
  const uint64_t before = StatusNumber("server", "connections");
  const auto crowd = ConnectMany();
  ASSERT_TRUE(crowd->AwaitWord());
  EXPECT_EQ(board_[0].error, static_cast<int>(Code::kOverQuota));
  EXPECT_TRUE(board_[0].named);
  EXPECT_GT(board_[0].count, 20);
  const auto status = store_->GetStatus();
  // Each has a page and a small ring, which are charged.
  EXPECT_GE(status["memory"]["client_bytes"].get<int>(),
            board_[0].count * (200 << 10));
  EXPECT_LE(status["used_bytes"].get<uint64_t>(), uint64_t{64} << 20);
  EXPECT_LE(MemoryOf("RssShmem:"), uint64_t{80} << 20);
  for (const uid_t uid : {uid_t{0}, kOther}) {
    ChildProcess child([&](const auto&) {
      return (uid == 0 || Become(uid)) &&
             WorksNatively("of-" + std::to_string(uid));
    });
    EXPECT_TRUE(child.Succeeded()) << uid;
  }
  crowd->Tell();
  EXPECT_TRUE(Eventually(
      [&] { return StatusNumber("server", "connections") <= before; }));
  EXPECT_LE(StatusNumber("memory", "client_bytes"), uint64_t{1} << 20);
}

}  // namespace
}  // namespace vitrine
