#include "fusefs/kernel/enclosing_mount.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/scratch_dir.h"

namespace vitrine::fusefs {
namespace {

namespace fs = std::filesystem;

TEST(EnclosingMountTest, OnlyWholeNamesAreWithin) {
  EXPECT_TRUE(IsWithin("/a/b", "/a"));
  EXPECT_TRUE(IsWithin("/a", "/a"));
  EXPECT_TRUE(IsWithin("/a", "/"));
  EXPECT_FALSE(IsWithin("/ab", "/a"));
  EXPECT_FALSE(IsWithin("/", "/a"));
}

TEST(EnclosingMountTest, WhatIsMissingFollowsWhatExists) {
  const ScratchDir dir;
  const std::string real = fs::canonical(dir.path());
  fs::create_directory_symlink(dir.path(), dir.path() + "/link");
  for (const std::string name : {"", "/missing", "/missing/deep"}) {
    const auto resolved = ResolveWhatExists(dir.path() + "/link" + name);
    ASSERT_TRUE(resolved);
    EXPECT_EQ(*resolved, real + name);
  }
}

TEST(EnclosingMountTest, OtherMountsDoNotCount) {
  const auto none = FindEnclosingVitrine("/proc/self/no-such-file");
  ASSERT_TRUE(none);
  EXPECT_EQ(*none, "");
}

}  // namespace
}  // namespace vitrine::fusefs
