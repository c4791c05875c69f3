// A store of an ordinary user, mounted through fusermount3.
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include "tests/fusefs/dead_mount.h"
#include "tests/fusefs/mounted_store.h"

namespace vitrine::fusefs {
namespace {

constexpr uid_t kUser = 65534;  // nobody: fusermount3 wants a name.

// All in a child that is an ordinary user in mounts of its own, where /dev/fuse
// is open to everybody, as it is on most machines.
class FuseDeviceTest : public MountedStore {
 protected:
  void SetUp() override {
    if (::getuid() != 0) GTEST_SKIP() << "needs root to become another user";
    if (::access("/usr/bin/fusermount3", X_OK) != 0) {
      GTEST_SKIP() << "no fusermount3";
    }
    for (const ScratchDir* dir : {&state_dir_, &memory_dir_, &mount_dir_}) {
      ASSERT_EQ(::chown(dir->path().c_str(), kUser, kUser), 0);
    }
  }

  static void OpenFuseToAll(const std::string& device) {
    CHILD_EXPECT(::unshare(CLONE_NEWNS) == 0);
    CHILD_EXPECT(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) ==
                 0);
    CHILD_EXPECT(::mknod(device.c_str(), S_IFCHR | 0666, makedev(10, 229)) ==
                 0);
    CHILD_EXPECT(::chmod(device.c_str(), 0666) == 0);
    CHILD_EXPECT(
        ::mount(device.c_str(), "/dev/fuse", nullptr, MS_BIND, nullptr) == 0);
  }

  bool AsUser(const std::function<void()>& body) {
    return InChild([&] {
      OpenFuseToAll(device_dir_.path() + "/fuse");
      CHILD_EXPECT(::setgroups(0, nullptr) == 0);
      CHILD_EXPECT(::setresgid(kUser, kUser, kUser) == 0);
      CHILD_EXPECT(::setresuid(kUser, kUser, kUser) == 0);
      body();
      mount_.reset();
      store_.reset();
    });
  }

  ScratchDir device_dir_{"/tmp"};
};

TEST_F(FuseDeviceTest, PassthroughThatIsInsistedOnIsRefused) {
  EXPECT_TRUE(AsUser([this] {
    CHILD_EXPECT(StartStore(64 << 20));
    const auto mount =
        Mount::Start(store_.get(), {mount_dir_.path(), Switch::kOn, {}});
    CHILD_EXPECT(!mount);
    CHILD_EXPECT(mount.error().message.find("CAP_SYS_ADMIN") !=
                 std::string::npos);
    const auto left = machine::FindMount(mount_dir_.path());
    CHILD_EXPECT(left && !left->has_value());
  }));
}

TEST_F(FuseDeviceTest, FallsBackToThePageCacheAndWorks) {
  EXPECT_TRUE(AsUser([this] {
    CHILD_EXPECT(StartStore(64 << 20));
    auto mount =
        Mount::Start(store_.get(), {mount_dir_.path(), Switch::kAuto, {}});
    if (!mount) std::fprintf(stderr, "%s\n", mount.error().message.c_str());
    CHILD_EXPECT(mount);
    mount_ = *std::move(mount);
    CHILD_EXPECT(!mount_->passthrough());
    CHILD_EXPECT(mount_->Describe().find("CAP_SYS_ADMIN") != std::string::npos);
    const std::string bytes = Pattern(3'000'000);
    CHILD_EXPECT(WriteFile(Unsealed("a"), bytes));
    CHILD_EXPECT(::rename(Unsealed("a").c_str(), Sealed("a").c_str()) == 0);
    CHILD_EXPECT(ReadFile(Sealed("a")) == bytes);
    CHILD_EXPECT(ReadFile(Direct("a")) == bytes);
    CHILD_EXPECT(ErrnoOf(::open(Sealed("a").c_str(), O_WRONLY)) == EPERM);
  }));
}

TEST_F(FuseDeviceTest, DeadMountIsReplaced) {
  EXPECT_TRUE(AsUser([this] {
    CHILD_EXPECT(StartStore(64 << 20));
    CHILD_EXPECT(LeaveDeadMount(mount_dir_.path()));
    auto mount =
        Mount::Start(store_.get(), {mount_dir_.path(), Switch::kAuto, {}});
    if (!mount) std::fprintf(stderr, "%s\n", mount.error().message.c_str());
    CHILD_EXPECT(mount);
    mount_ = *std::move(mount);
    struct stat info;
    CHILD_EXPECT(::stat((mount_dir_.path() + "/sealed").c_str(), &info) == 0);
  }));
}

}  // namespace
}  // namespace vitrine::fusefs
