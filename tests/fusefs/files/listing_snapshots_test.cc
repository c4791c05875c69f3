#include "fusefs/files/listing_snapshots.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <vector>

namespace vitrine::fusefs {
namespace {

constexpr ObjectState kSealed = ObjectState::kSealed;
constexpr ObjectState kUnsealed = ObjectState::kUnsealed;

// Nobody looks into an object: any pointer will do.
ObjectRef MakeObject() { return ObjectRef(std::make_shared<int>(0), nullptr); }

class ListingSnapshotsTest : public ::testing::Test {
 protected:
  UserSnapshots::Objects List(ObjectState state) {
    ++lists_;
    UserSnapshots::Objects objects =
        state == kSealed ? sealed_ : UserSnapshots::Objects();
    if (const auto meanwhile = std::exchange(meanwhile_, nullptr)) meanwhile();
    return objects;
  }

  UserSnapshots::Objects sealed_ = {MakeObject()};
  int lists_ = 0;
  std::function<void()> meanwhile_;  // Done once, while a list is made.
  ListingSnapshots all_{[this](ObjectState state) { return List(state); }};
};

TEST_F(ListingSnapshotsTest, TheNewestServesAll) {
  const auto user = all_.Of(1);
  const auto first = user->Renew(kSealed);
  EXPECT_EQ(user->Newest(kSealed), first);
  EXPECT_EQ(all_.Of(1)->Newest(kSealed), first);
  sealed_.push_back(MakeObject());
  const auto second = user->Renew(kSealed);
  EXPECT_EQ(second->size(), 2u);
  EXPECT_EQ(user->Newest(kSealed), second);
  EXPECT_EQ(lists_, 2);
}

TEST_F(ListingSnapshotsTest, OneIsKeptForEachState) {
  const auto user = all_.Of(1);
  std::weak_ptr<const UserSnapshots::Objects> former = user->Renew(kSealed);
  user->Renew(kUnsealed);
  EXPECT_FALSE(former.expired());
  user->Renew(kSealed);
  EXPECT_TRUE(former.expired());
}

TEST_F(ListingSnapshotsTest, ThereIsOneIfNobodyTookIt) {
  EXPECT_EQ(all_.Of(1)->Newest(kSealed)->size(), 1u);
  EXPECT_TRUE(all_.Of(1)->Newest(kUnsealed)->empty());
}

// One that was begun before another lacks what that may have, however late it
// ends.
TEST_F(ListingSnapshotsTest, OneThatWasOvertakenIsNotKept) {
  const auto user = all_.Of(1);
  meanwhile_ = [&] {
    sealed_.push_back(MakeObject());
    user->Renew(kSealed);
  };
  EXPECT_EQ(user->Renew(kSealed)->size(), 1u);
  EXPECT_EQ(user->Newest(kSealed)->size(), 2u);
}

TEST_F(ListingSnapshotsTest, UsersShareNothing) {
  const auto one = all_.Of(1);
  const auto two = all_.Of(2);
  EXPECT_NE(one->Newest(kSealed), two->Newest(kSealed));
  EXPECT_EQ(all_.users(), 2u);
}

TEST_F(ListingSnapshotsTest, TheyGoWithTheUsersLastDirectory) {
  auto one = all_.Of(1);
  auto two = all_.Of(1);
  const std::weak_ptr<const UserSnapshots::Objects> taken = one->Renew(kSealed);
  one.reset();
  EXPECT_FALSE(taken.expired());
  two.reset();
  EXPECT_TRUE(taken.expired());
  EXPECT_EQ(all_.users(), 0u);
}

}  // namespace
}  // namespace vitrine::fusefs
