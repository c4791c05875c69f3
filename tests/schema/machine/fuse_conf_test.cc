#include "schema/machine/fuse_conf.h"

#include <gtest/gtest.h>

#include "tests/schema/machine/fake_root.h"

namespace vitrine::machine {
namespace {

bool Allows(const char* text) {
  const FakeRoot root;
  root.Write("etc/fuse.conf", text);
  return FuseConfAllowsOthers(root.path());
}

TEST(FuseConfTest, WithoutTheFileTheyMayNot) {
  EXPECT_FALSE(FuseConfAllowsOthers(FakeRoot().path()));
  EXPECT_FALSE(Allows(""));
}

// fusermount3 would refuse the mount.
TEST(FuseConfTest, WhatFusermountDoesNotKnowIsNoSetting) {
  for (const char* text :
       {"#user_allow_other\n", "user_allow_others\n", "user_allow_other yes\n",
        "user_allow_other=1\n", "mount_max = 7 user_allow_other\n"}) {
    EXPECT_FALSE(Allows(text)) << text;
  }
}

TEST(FuseConfTest, BlanksAndCommentsDoNotCount) {
  for (const char* text :
       {"user_allow_other", "# x\n  user_allow_other \t\r\nmount_max = 7\n",
        "user_allow_other # for the store\n", "user_allow_other#\n"}) {
    EXPECT_TRUE(Allows(text)) << text;
  }
}

}  // namespace
}  // namespace vitrine::machine
