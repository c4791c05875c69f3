#include "store/accounts/shared_limit.h"

#include <gtest/gtest.h>

#include "store/accounts/descriptor_shares.h"

namespace vitrine::store {
namespace {

constexpr uid_t kStoreUser = 500;
constexpr Payer kAlice{1000, 1000};
constexpr Payer kBob{1001, 1001};
constexpr Payer kRoot{0, 0};

class SharedLimitTest : public ::testing::Test {
 protected:
  SharedLimitTest() {
    accounts_.SetQuota({.limits = {{Resource::kDescriptors, 4}}});
  }
  // How many the payer gets, and why no more.
  int Fill(const Payer& payer, Code why) {
    int count = 0;
    Status charged;
    while ((charged = limit_.Charge(payer))) ++count;
    EXPECT_EQ(charged.error().code, why);
    message_ = charged.error().message;
    return count;
  }

  Accounts accounts_{kStoreUser};
  SharedLimit limit_{&accounts_,
                     Resource::kDescriptors,
                     {.total = 10, .reserved = 3, .bound_by = "; so it is"}};
  std::string message_;
};

TEST_F(SharedLimitTest, AUserGetsHisOwnAndAllGetWhatThereIs) {
  EXPECT_EQ(Fill(kAlice, Code::kOverQuota), 4);
  EXPECT_EQ(Fill(kBob, Code::kTooMany), 3);
  EXPECT_EQ(message_,
            "the store has 7 descriptors and may have 7 for others than root; "
            "so it is");
  limit_.Release(kAlice);
  EXPECT_EQ(Fill(kBob, Code::kTooMany), 1);
}

TEST_F(SharedLimitTest, TheReserveIsForRootAndTheStoresUser) {
  EXPECT_EQ(Fill(kAlice, Code::kOverQuota), 4);
  EXPECT_EQ(Fill(kBob, Code::kTooMany), 3);
  EXPECT_TRUE(limit_.Charge({kStoreUser, 1}));
  EXPECT_EQ(Fill(kRoot, Code::kTooMany), 2);
  EXPECT_EQ(message_, "the store has 10 descriptors and may have 10; so it is");
}

TEST_F(SharedLimitTest, WhatIsHeldIsChargedUntilItIsLetGo) {
  auto held = limit_.Hold(kAlice);
  ASSERT_TRUE(held);
  EXPECT_EQ(Fill(kAlice, Code::kOverQuota), 3);
  EXPECT_EQ(limit_.Hold(kAlice).error().code, Code::kOverQuota);
  held->reset();
  EXPECT_EQ(Fill(kAlice, Code::kOverQuota), 1);
}

TEST_F(SharedLimitTest, WhatIsRefusedIsNotCharged) {
  EXPECT_EQ(Fill(kAlice, Code::kOverQuota), 4);
  EXPECT_EQ(accounts_.Used({Party::Kind::kUser, 1000}, Resource::kDescriptors),
            4U);
  for (int i = 0; i < 4; ++i) limit_.Release(kAlice);
  EXPECT_TRUE(accounts_.List().empty());
  EXPECT_EQ(Fill(kRoot, Code::kTooMany), 10);
}

TEST(DescriptorSharesTest, TheStoreItselfKeepsSome) {
  for (const uint64_t limit :
       {0UL, 50UL, 160UL, 161UL, 1024UL, 20'000UL, 1'000'000UL, UINT64_MAX}) {
    const DescriptorShares shares = ShareDescriptors(limit);
    const uint64_t given = 2 * shares.connections.total + shares.files.total;
    EXPECT_LE(given + 160, std::max<uint64_t>(limit, 160)) << limit;
    EXPECT_GE(shares.connections.total, shares.connections.reserved) << limit;
  }
  EXPECT_GT(ShareDescriptors(1024).files.total, 400U);
  EXPECT_EQ(ShareDescriptors(UINT64_MAX).files.total,
            ShareDescriptors(1'000'000).files.total);
}

}  // namespace
}  // namespace vitrine::store
