#include "fusefs/mount.h"

#include <signal.h>
#include <sys/mount.h>

#include "tests/fusefs/dead_mount.h"
#include "tests/fusefs/mounted_store.h"

namespace vitrine::fusefs {
namespace {

class MountTest : public MountedStore {
 protected:
  void SetUp() override { ASSERT_TRUE(StartStore(64 << 20)); }
  Code FailureAt(const std::string& path) {
    const auto mount = Mount::Start(store_.get(), {path, Switch::kAuto, {}});
    return mount ? Code{} : mount.error().code;
  }
};

TEST_F(MountTest, UnfitDirectoriesAreRefused) {
  EXPECT_EQ(FailureAt(Root() + "/none"), Code::kNotFound);
  ASSERT_TRUE(WriteFile(Root() + "/file", "x"));
  EXPECT_NE(FailureAt(Root() + "/file"), Code{});
  EXPECT_NE(FailureAt(""), Code{});
}

// Invariant (2) of FuseSession.
TEST_F(MountTest, MountPointInUseIsRefused) {
  if (!StartMount(Switch::kAuto)) GTEST_SKIP() << skip_;
  EXPECT_EQ(FailureAt(Root()), Code::kUnavailable);
  struct stat info;
  EXPECT_EQ(::stat((Root() + "/sealed").c_str(), &info), 0);
}

// Invariant (2) of FuseSession.
TEST_F(MountTest, OtherFileSystemIsNotReplaced) {
  if (::mount("none", Root().c_str(), "tmpfs", 0, nullptr) != 0) {
    GTEST_SKIP() << "cannot mount a tmpfs";
  }
  EXPECT_EQ(FailureAt(Root()), Code::kUnavailable);
  EXPECT_EQ(::umount(Root().c_str()), 0);
}

TEST_F(MountTest, DeadMountIsReplaced) {
  if (!LeaveDeadMount(Root())) GTEST_SKIP() << "cannot mount";
  struct stat info;
  ASSERT_EQ(ErrnoOf(::stat((Root() + "/x").c_str(), &info)), ENOTCONN);
  ASSERT_TRUE(StartMount(Switch::kAuto));
  EXPECT_EQ(::stat((Root() + "/sealed").c_str(), &info), 0);
}

TEST_F(MountTest, UnmountBySomebodyElseIsTold) {
  if (!StartMount(Switch::kAuto)) GTEST_SKIP() << skip_;
  ASSERT_EQ(::umount2(Root().c_str(), MNT_DETACH), 0);
  EXPECT_TRUE(Eventually([this] { return unmounted_ == 1; }));
}

// Invariant (2) of FuseSession.
TEST_F(MountTest, WhatOthersMountedInItsPlaceStays) {
  if (!StartMount(Switch::kAuto)) GTEST_SKIP() << skip_;
  ASSERT_EQ(::umount2(Root().c_str(), MNT_DETACH), 0);
  EXPECT_TRUE(Eventually([this] { return unmounted_ == 1; }));
  ASSERT_EQ(::mount("none", Root().c_str(), "tmpfs", 0, nullptr), 0);
  mount_.reset();
  EXPECT_EQ(::umount(Root().c_str()), 0);
}

TEST_F(MountTest, OrdinaryEndIsNotTold) {
  if (!StartMount(Switch::kAuto)) GTEST_SKIP() << skip_;
  mount_.reset();
  EXPECT_EQ(unmounted_, 0);
}

TEST_F(MountTest, EndsWhileFilesAreOpen) {
  if (!StartMount(Switch::kAuto)) GTEST_SKIP() << skip_;
  const UniqueFd writer(::open(Unsealed("a").c_str(), O_RDWR | O_CREAT, 0644));
  const UniqueFd dir(::open(Root().c_str(), O_RDONLY | O_DIRECTORY));
  ASSERT_TRUE(writer.valid() && dir.valid());
  mount_.reset();
  struct stat info;
  EXPECT_EQ(::stat((Root() + "/sealed").c_str(), &info), -1);
}

TEST_F(MountTest, StartsAndEndsManyTimesWithoutLeaks) {
  if (!StartMount(Switch::kAuto)) GTEST_SKIP() << skip_;
  mount_.reset();
  const size_t before = CountDescriptors();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(StartMount(Switch::kAuto));
    ASSERT_TRUE(WriteFile(Unsealed("a"), "x"));
    mount_.reset();
  }
  EXPECT_EQ(CountDescriptors(), before);
}

TEST_F(MountTest, DescribeSaysWhichModeAndWhy) {
  if (!StartMount(Switch::kOff)) GTEST_SKIP() << skip_;
  EXPECT_FALSE(mount_->passthrough());
  EXPECT_NE(mount_->Describe().find("switched off"), std::string::npos);
  mount_.reset();
  if (!StartMount(Switch::kOn)) GTEST_SKIP() << skip_;
  EXPECT_TRUE(mount_->passthrough());
  EXPECT_EQ(mount_->Describe(), "passthrough");
}

TEST_F(MountTest, MountPointMayHaveOddCharacters) {
  const std::string odd = Root() + "/a b\\c\n\"d,e";
  ASSERT_EQ(::mkdir(odd.c_str(), 0755), 0);
  MountOptions options;
  options.mount_point = odd;
  auto mount = Mount::Start(store_.get(), options);
  if (!mount) GTEST_SKIP() << mount.error().ToString();
  struct stat info;
  EXPECT_EQ(::stat((odd + "/sealed").c_str(), &info), 0);
  mount->reset();
  EXPECT_EQ(::rmdir(odd.c_str()), 0);
}

}  // namespace
}  // namespace vitrine::fusefs
