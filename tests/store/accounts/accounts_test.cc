#include "store/accounts/accounts.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace vitrine::store {
namespace {

constexpr uid_t kStoreUser = 900;
constexpr Payer kAlice{.uid = 1000, .gid = 100};
constexpr Payer kBob{.uid = 1001, .gid = 100};

Party User(uid_t uid) { return {Party::Kind::kUser, uid}; }
Party Group(gid_t gid) { return {Party::Kind::kGroup, gid}; }

class AccountsTest : public testing::Test {
 protected:
  void SetQuota(const std::string& text) {
    const auto quota = ParseQuota(text);
    ASSERT_TRUE(quota) << quota.error().ToString();
    accounts_.SetQuota(*quota);
  }
  Status ChargeObjects(const Payer& payer, uint64_t amount) {
    return accounts_.Charge(payer, Resource::kObjects, amount);
  }
  uint64_t ObjectsOf(const Party& party) {
    return accounts_.Used(party, Resource::kObjects);
  }

  Accounts accounts_{kStoreUser};
};

TEST_F(AccountsTest, WithoutAQuotaThereIsNoLimit) {
  EXPECT_TRUE(ChargeObjects(kAlice, uint64_t{1} << 60));
  EXPECT_EQ(ObjectsOf(User(1000)), uint64_t{1} << 60);
}

TEST_F(AccountsTest, ALimitIsReachedAndNotPassed) {
  SetQuota("user:1000:objects=10");
  EXPECT_TRUE(ChargeObjects(kAlice, 9));
  const Status refused = ChargeObjects(kAlice, 2);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kOverQuota);
  EXPECT_EQ(refused.error().message,
            "user 1000 wanted 2 more of objects, has 9 and may have 10");
  EXPECT_EQ(ObjectsOf(User(1000)), 9U);
  EXPECT_TRUE(ChargeObjects(kAlice, 1));
  EXPECT_TRUE(ChargeObjects(kBob, 1000));
}

TEST_F(AccountsTest, ALimitOfAGroupCountsForAllOfIt) {
  SetQuota("group:100:objects=10");
  EXPECT_TRUE(ChargeObjects(kAlice, 6));
  EXPECT_FALSE(ChargeObjects(kBob, 5));
  // What a group refuses is not charged to the user.
  EXPECT_EQ(ObjectsOf(User(1001)), 0U);
  accounts_.Release(kAlice, Resource::kObjects, 1);
  EXPECT_TRUE(ChargeObjects(kBob, 5));
  EXPECT_EQ(ObjectsOf(Group(100)), 10U);
}

TEST_F(AccountsTest, OneOfOnesOwnWinsOverTheOneForAll) {
  SetQuota("user:*:objects=1");
  SetQuota("user:1000:objects=none");
  EXPECT_TRUE(ChargeObjects(kAlice, 100));
  EXPECT_FALSE(ChargeObjects(kBob, 2));
}

TEST_F(AccountsTest, RootAndTheStoreHaveNoLimitsButTheirOwn) {
  SetQuota("user:*:objects=1");
  SetQuota("group:*:objects=1");
  EXPECT_TRUE(ChargeObjects({.uid = 0, .gid = 100}, 100));
  EXPECT_TRUE(ChargeObjects({.uid = kStoreUser, .gid = 900}, 100));
  SetQuota("user:0:objects=100");
  EXPECT_FALSE(ChargeObjects({.uid = 0, .gid = 100}, 1));
}

TEST_F(AccountsTest, ALoweredLimitTakesNothingAway) {
  EXPECT_TRUE(ChargeObjects(kAlice, 10));
  SetQuota("user:1000:objects=5");
  EXPECT_EQ(ObjectsOf(User(1000)), 10U);
  EXPECT_FALSE(ChargeObjects(kAlice, 1));
  accounts_.Release(kAlice, Resource::kObjects, 6);
  EXPECT_TRUE(ChargeObjects(kAlice, 1));
}

TEST_F(AccountsTest, WhatCannotBeRefusedIsCounted) {
  SetQuota("user:1000:memory=1K");
  accounts_.ForceCharge(kAlice, Resource::kMemory, 4096);
  EXPECT_EQ(accounts_.Used(User(1000), Resource::kMemory), 4096U);
  EXPECT_FALSE(accounts_.Charge(kAlice, Resource::kMemory, 1));
  EXPECT_TRUE(accounts_.Charge(kAlice, Resource::kMemory, 0));
}

TEST_F(AccountsTest, AmountsDoNotWrapAround) {
  SetQuota("user:1000:memory=1K");
  EXPECT_TRUE(accounts_.Charge(kAlice, Resource::kMemory, 1000));
  EXPECT_FALSE(accounts_.Charge(kAlice, Resource::kMemory, UINT64_MAX));
}

TEST_F(AccountsTest, ThoseWithNothingAreNotListed) {
  EXPECT_TRUE(ChargeObjects(kAlice, 1));
  EXPECT_EQ(accounts_.List().size(), 2U);
  accounts_.Release(kAlice, Resource::kObjects, 1);
  EXPECT_TRUE(accounts_.List().empty());
  SetQuota("user:1000:holds=3");
  ASSERT_EQ(accounts_.List().size(), 1U);
  EXPECT_EQ(accounts_.List()[0].limits[size_t(Resource::kHolds)], 3U);
  EXPECT_EQ(accounts_.List()[0].limits[size_t(Resource::kObjects)], kUnlimited);
}

TEST_F(AccountsTest, ManyThreadsNeverPassALimit) {
  SetQuota("user:1000:objects=100");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      for (int round = 0; round < 2000; ++round) {
        if (!ChargeObjects(kAlice, 30)) continue;
        EXPECT_LE(ObjectsOf(User(1000)), 100U);
        accounts_.Release(kAlice, Resource::kObjects, 30);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ObjectsOf(User(1000)), 0U);
}

Amounts Some(uint64_t memory, uint64_t objects) {
  Amounts amounts = OnlyOf(Resource::kMemory, memory);
  AmountOf(amounts, Resource::kObjects) = objects;
  return amounts;
}

TEST_F(AccountsTest, SeveralAmountsAreChargedTogetherOrNotAtAll) {
  SetQuota("user:1000:memory=100,objects=2");
  EXPECT_FALSE(accounts_.Charge(kAlice, Some(100, 3)));
  EXPECT_FALSE(accounts_.Charge(kAlice, Some(101, 2)));
  EXPECT_EQ(ObjectsOf(User(1000)), 0U);
  EXPECT_EQ(ObjectsOf(Group(100)), 0U);
  EXPECT_TRUE(accounts_.Charge(kAlice, Some(100, 2)));
  EXPECT_FALSE(accounts_.Check(kAlice, Some(1, 0)));
  EXPECT_TRUE(accounts_.Check(kAlice, OnlyOf(Resource::kHolds, 1)));
  accounts_.Release(kAlice, Some(100, 2));
  EXPECT_EQ(accounts_.List().size(), 1U);  // Her limits.
}

TEST_F(AccountsTest, RoomIsWhatBothUserAndGroupHaveLeft) {
  SetQuota("user:1000:memory=100");
  SetQuota("group:100:memory=120,holds=4");
  accounts_.ForceCharge(kBob, Some(50, 1));
  accounts_.ForceCharge(kAlice, Some(10, 1));
  const Amounts room = accounts_.RoomOf(kAlice);
  EXPECT_EQ(AmountOf(room, Resource::kMemory), 60U);
  EXPECT_EQ(AmountOf(room, Resource::kHolds), 4U);
  EXPECT_EQ(AmountOf(room, Resource::kObjects), kUnlimited);
  accounts_.ForceCharge(kAlice, Some(200, 1));
  EXPECT_EQ(AmountOf(accounts_.RoomOf(kAlice), Resource::kMemory), 0U);
}

TEST_F(AccountsTest, AMoveWithinAGroupIsNothingNewToTheGroup) {
  SetQuota("group:100:objects=1");
  accounts_.ForceCharge(kAlice, Some(5, 1));
  EXPECT_TRUE(accounts_.CheckMove(kAlice, kBob, Some(5, 1)));
  accounts_.Exchange(kAlice, Some(5, 1), kBob, Some(5, 1));
  EXPECT_EQ(ObjectsOf(User(1000)), 0U);
  EXPECT_EQ(ObjectsOf(User(1001)), 1U);
  EXPECT_EQ(ObjectsOf(Group(100)), 1U);
  SetQuota("user:1000:objects=0");
  EXPECT_FALSE(accounts_.CheckMove(kBob, kAlice, Some(5, 1)));
  EXPECT_TRUE(accounts_.CheckMove(kAlice, kAlice, Some(5, 1)));
}

TEST_F(AccountsTest, WhoeverHasMoreThanTheFairShareIsNamedTheGreatestFirst) {
  accounts_.ForceCharge(kAlice, Resource::kMemory, 90);
  // Alone she may have all.
  EXPECT_TRUE(accounts_.OverShare(90, {}).empty());
  // Who waits has a share, too.
  auto over = accounts_.OverShare(90, {kBob.uid});
  ASSERT_EQ(over.size(), 1U);
  EXPECT_EQ(over[0].uid, kAlice.uid);
  EXPECT_EQ(over[0].bytes, 45U);
  accounts_.ForceCharge(kBob, Resource::kMemory, 200);
  accounts_.ForceCharge({.uid = 5, .gid = 5}, Resource::kMemory, 30);
  over = accounts_.OverShare(90, {});
  ASSERT_EQ(over.size(), 2U);
  EXPECT_EQ(over[0].uid, kBob.uid);
  EXPECT_EQ(over[0].bytes, 170U);
  EXPECT_EQ(over[1].bytes, 60U);
}

TEST_F(AccountsTest, AQuotaBelowTheFairShareIsTheShare) {
  SetQuota("user:1000:memory=10");
  accounts_.ForceCharge(kAlice, Resource::kMemory, 12);
  accounts_.ForceCharge(kBob, Resource::kMemory, 40);
  const auto over = accounts_.OverShare(90, {});
  ASSERT_EQ(over.size(), 1U);
  EXPECT_EQ(over[0].uid, kAlice.uid);
  EXPECT_EQ(over[0].bytes, 2U);
}

}  // namespace
}  // namespace vitrine::store
