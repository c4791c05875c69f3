#include "store/base/object.h"

#include <gtest/gtest.h>

namespace vitrine::store {
namespace {

ObjectInfo Owned(mode_t mode) {
  return ObjectInfo{
      .id = *ObjectId::FromText("x"), .mode = mode, .uid = 1000, .gid = 2000};
}

Credentials Who(uid_t uid, gid_t gid, std::vector<gid_t> groups = {}) {
  return Credentials{.uid = uid, .gid = gid, .groups = std::move(groups)};
}

TEST(MayReadTest, RootReadsWhatNobodyMay) {
  EXPECT_TRUE(MayRead(Owned(0), Who(0, 0)));
}

TEST(MayReadTest, OwnerIsJudgedByTheOwnersBitsAlone) {
  EXPECT_FALSE(MayRead(Owned(0077), Who(1000, 2000)));
  EXPECT_TRUE(MayRead(Owned(0400), Who(1000, 1)));
}

TEST(MayReadTest, GroupMembersAreJudgedByTheGroupsBitsAlone) {
  EXPECT_FALSE(MayRead(Owned(0704), Who(1, 2000)));
  EXPECT_FALSE(MayRead(Owned(0704), Who(1, 1, {7, 2000})));
  EXPECT_TRUE(MayRead(Owned(0040), Who(1, 2000)));
  EXPECT_TRUE(MayRead(Owned(0040), Who(1, 1, {7, 2000})));
}

TEST(MayReadTest, OthersAreJudgedByTheOthersBits) {
  EXPECT_FALSE(MayRead(Owned(0770), Who(1, 1, {7})));
  EXPECT_TRUE(MayRead(Owned(0004), Who(1, 1, {7})));
}

TEST(IsOwnerTest, OnlyTheOwnerAndRootAre) {
  EXPECT_FALSE(IsOwner(Owned(0777), Who(1001, 2000)));
  EXPECT_TRUE(IsOwner(Owned(0), Who(1000, 1)));
  EXPECT_TRUE(IsOwner(Owned(0), Who(0, 0)));
}

}  // namespace
}  // namespace vitrine::store
