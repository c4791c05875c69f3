#include "schema/machine/directory_acl.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/scratch_dir.h"

namespace vitrine::machine {
namespace {

mode_t ModeOf(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0);
  return info.st_mode & 07777;
}

TEST(DirectoryAclTest, IsWhatTheKernelTakes) {
  const ScratchDir dir("/dev/shm");
  const Status set = SetDirectoryAcl(dir.path(), {7, 5, 7});
  if (!set && set.error().code == Code::kUnsupported) {
    GTEST_SKIP() << set.error().message;
  }
  ASSERT_TRUE(set) << set.error().ToString();
  EXPECT_EQ(ModeOf(dir.path()), 0750U);
  ASSERT_TRUE(RemoveDirectoryAcl(dir.path()));
  ASSERT_TRUE(RemoveDirectoryAcl(dir.path())) << "there is none any more";
}

TEST(DirectoryAclTest, OneWhoIsNamedTwiceIsThereOnce) {
  EXPECT_EQ(MakeDirectoryAcl({7, 5, 7}), MakeDirectoryAcl({5, 7}));
  EXPECT_NE(MakeDirectoryAcl({5, 7}), MakeDirectoryAcl({5}));
}

}  // namespace
}  // namespace vitrine::machine
