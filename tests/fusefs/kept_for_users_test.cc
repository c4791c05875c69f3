// What the mount keeps for a user is charged to him, or bounded.
#include <dirent.h>

#include <string>
#include <vector>

#include "fusefs/files/wait_nodes.h"
#include "store/accounts/accounts.h"
#include "tests/fusefs/mounted_store.h"

namespace vitrine::fusefs {
namespace {

using store::Resource;

class KeptForUsersTest : public OtherUsers {
 protected:
  void Limit(const std::string& limits) {
    store_->facts().accounts().SetQuota(
        *store::ParseQuota("user:12345:" + limits));
  }
  // Not in a child, whose accounts are a copy.
  uint64_t Used(Resource resource, uid_t uid = kUser) const {
    return store_->facts().accounts().Used({store::Party::Kind::kUser, uid},
                                           resource);
  }
  // The kernel tells of a close or a forgotten name later.
  bool HasNothingSoon(Resource resource) const {
    return Eventually([&] { return Used(resource) == 0; });
  }
  uint64_t KnownNodes() const {
    return MountStatus()["known_nodes"].get<uint64_t>();
  }
  std::string StatusFile() const { return Root() + "/.vitrine/status"; }

  // 0: opened.
  static int TryOpen(const std::string& path, int flags,
                     std::vector<UniqueFd>* opened) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
    if (fd < 0) return errno;
    opened->emplace_back(fd);
    return 0;
  }
  // The same, where what was closed before may still be charged.
  static bool OpensSoon(const std::string& path, int flags,
                        std::vector<UniqueFd>* opened) {
    return Eventually([&] { return TryOpen(path, flags, opened) == 0; });
  }
};

TEST_P(KeptForUsersTest, OpenDirectoriesAreDescriptors) {
  Limit("descriptors=2");
  EXPECT_TRUE(As(kUser, [this] {
    std::vector<UniqueFd> opened;
    CHILD_EXPECT(TryOpen(Root() + "/sealed", O_DIRECTORY, &opened) == 0);
    CHILD_EXPECT(TryOpen(Root() + "/sealed", O_DIRECTORY, &opened) == 0);
    CHILD_EXPECT(TryOpen(Root(), O_DIRECTORY, &opened) == EDQUOT);
    opened.pop_back();
    CHILD_EXPECT(OpensSoon(Root() + "/wait", O_DIRECTORY, &opened));
  }));
  EXPECT_TRUE(HasNothingSoon(Resource::kDescriptors));
  EXPECT_EQ(MountStatus()["open_directories"], 0);
}

TEST_P(KeptForUsersTest, OthersOpenDirectoriesMeanwhile) {
  Limit("descriptors=0");
  EXPECT_TRUE(As(kOther, [this] {
    std::vector<UniqueFd> opened;
    CHILD_EXPECT(TryOpen(Root(), O_DIRECTORY, &opened) == 0);
  }));
  std::vector<UniqueFd> opened;
  EXPECT_EQ(TryOpen(Root(), O_DIRECTORY, &opened), 0);
}

TEST_P(KeptForUsersTest, TheTextOfStatusIsMemory) {
  const uint64_t before = Used(Resource::kMemory, 0);
  std::vector<UniqueFd> opened;
  ASSERT_EQ(TryOpen(StatusFile(), O_RDONLY, &opened), 0);
  std::string text(1 << 20, '\0');
  const ssize_t size = ::read(opened[0].get(), text.data(), text.size());
  EXPECT_EQ(Used(Resource::kMemory, 0), before + static_cast<uint64_t>(size));
  opened.clear();
  EXPECT_TRUE(Eventually([&] { return Used(Resource::kMemory, 0) == before; }));
}

TEST_P(KeptForUsersTest, AStatusThatIsTooLongIsRefused) {
  Limit("memory=1K");
  EXPECT_TRUE(As(kUser, [this] {
    std::vector<UniqueFd> opened;
    CHILD_EXPECT(TryOpen(StatusFile(), O_RDONLY, &opened) == EDQUOT);
  }));
  // What it had when it was refused, it gave back.
  EXPECT_EQ(Used(Resource::kDescriptors), 0u);
}

TEST_P(KeptForUsersTest, AnOpenStatusIsADescriptor) {
  Limit("descriptors=1");
  EXPECT_TRUE(As(kUser, [this] {
    std::vector<UniqueFd> opened;
    CHILD_EXPECT(TryOpen(StatusFile(), O_RDONLY, &opened) == 0);
    CHILD_EXPECT(TryOpen(StatusFile(), O_RDONLY, &opened) == EDQUOT);
    opened.clear();
    CHILD_EXPECT(OpensSoon(StatusFile(), O_RDONLY, &opened));
  }));
}

// The kernel remembers names that were looked at, and whoever has them by
// O_PATH, as long as he likes.
TEST_P(KeptForUsersTest, NamesToWaitForAreBounded) {
  constexpr int kMost = static_cast<int>(WaitNodes::kMostOfAUser);
  EXPECT_TRUE(As(kUser, [this] {
    std::vector<UniqueFd> opened;
    CHILD_EXPECT(TryOpen(Waiting("first"), O_PATH, &opened) == 0);
    struct stat info;
    for (int i = 0; i < kMost; ++i) {
      const std::string path = Waiting(std::to_string(i));
      CHILD_EXPECT(::stat(path.c_str(), &info) == 0);
    }
    const auto open_again = [](const UniqueFd& fd) {
      const std::string path = "/proc/self/fd/" + std::to_string(fd.get());
      return ErrnoOf(::open(path.c_str(), O_RDONLY | O_NONBLOCK));
    };
    CHILD_EXPECT(open_again(opened[0]) == ESTALE);
    CHILD_EXPECT(TryOpen(Waiting("last"), O_PATH, &opened) == 0);
    CHILD_EXPECT(open_again(opened[1]) == EAGAIN);
    // By its name it is there.
    CHILD_EXPECT(TryOpen(Waiting("first"), O_NONBLOCK, &opened) == EAGAIN);
  }));
  EXPECT_LE(KnownNodes(), WaitNodes::kMostOfAUser);
}

// Its node gives way to those of the user's other names.
TEST_P(KeptForUsersTest, AnOpenThatWaitsNeedsNoNode) {
  const auto start = [this](const std::string& bytes) {
    return StartChild([this, bytes] {
      CHILD_EXPECT(Become(kUser));
      CHILD_EXPECT(ReadFile(Waiting("a")) == bytes);
    });
  };
  const auto waiting = [this](int opens) {
    return Eventually(
        [&] { return MountStatus()["waiting_for_seal"] == opens; });
  };
  const pid_t killed = start("");
  const pid_t child = start("bytes");
  ASSERT_TRUE(waiting(2));
  EXPECT_TRUE(As(kUser, [this] {
    struct stat info;
    for (size_t i = 0; i < WaitNodes::kMostOfAUser; ++i) {
      const std::string path = Waiting(std::to_string(i));
      CHILD_EXPECT(::stat(path.c_str(), &info) == 0);
    }
  }));
  ::kill(killed, SIGKILL);
  EXPECT_FALSE(ChildSucceeded(killed));
  EXPECT_TRUE(waiting(1));
  EXPECT_EQ(Used(Resource::kWaiters), 1u);
  Put("a", "bytes");
  EXPECT_TRUE(ChildSucceeded(child));
  EXPECT_TRUE(HasNothingSoon(Resource::kWaiters));
}

// A name keeps the node, and what is left of the object, wherever it was looked
// up.
TEST_P(KeptForUsersTest, AnObjectThatGoesLeavesNoNameAnywhere) {
  struct stat info;
  ASSERT_TRUE(WriteFile(Unsealed("b"), "x"));
  ASSERT_EQ(ErrnoOf(::stat(Unsealed("b").c_str(), &info)), 0);
  ASSERT_TRUE(store_->unsealed().Abort(FindUnsealed("b")));
  Put("a", "x");
  ASSERT_EQ(ReadFile(Waiting("a")), "x");
  ASSERT_EQ(ReadFile(Sealed("a")), "x");
  ASSERT_EQ(ErrnoOf(::lstat(Direct("a").c_str(), &info)), 0);
  EXPECT_GT(KnownNodes(), 0u);
  ASSERT_EQ(ErrnoOf(::unlink(Sealed("a").c_str())), 0);
  EXPECT_TRUE(Eventually([this] { return KnownNodes() == 0; }));
}

INSTANTIATE_BOTH_MODES(KeptForUsersTest);

}  // namespace
}  // namespace vitrine::fusefs
