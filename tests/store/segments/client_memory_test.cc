#include "store/segments/client_memory.h"

#include <gtest/gtest.h>

#include <vector>

namespace vitrine::store {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr Payer kAlice{1000, 1000};
constexpr Payer kRoot{0, 0};

class ClientMemoryTest : public ::testing::Test {
 protected:
  uint64_t OfAlice() const {
    return accounts_.Used({Party::Kind::kUser, 1000}, Resource::kMemory);
  }

  Accounts accounts_{0};
  MemoryBudget budget_{100 * kMiB, 0};
  ClientMemory memory_{&budget_, &accounts_};
};

TEST_F(ClientMemoryTest, IsChargedToTheStoreAndTheUserUntilItIsGone) {
  auto taken = memory_.Take(kAlice, 3 * kMiB, ClientMemoryNeed::kIfThere);
  ASSERT_TRUE(taken);
  EXPECT_EQ(budget_.Get().used_bytes, 2 * kMiB);  // All but the first MiB.
  EXPECT_EQ(OfAlice(), 3 * kMiB);
  EXPECT_EQ(memory_.bytes(), 3 * kMiB);
  taken->reset();
  EXPECT_EQ(budget_.Get().used_bytes, 0U);
  EXPECT_EQ(OfAlice(), 0U);
  EXPECT_EQ(memory_.bytes(), 0U);
}

TEST_F(ClientMemoryTest, InAFullStoreOnlyWhatIsNeededIsGiven) {
  ASSERT_TRUE(budget_.TryCharge(100 * kMiB));
  // Nothing is evicted for the first client.
  const auto first = memory_.Take(kRoot, kMiB, ClientMemoryNeed::kIfThere);
  ASSERT_TRUE(first);
  EXPECT_EQ(memory_.Take(kAlice, 1, ClientMemoryNeed::kIfThere).error().code,
            Code::kOutOfMemory);
  EXPECT_EQ(OfAlice(), 0U);
  EXPECT_EQ(memory_.bytes(), kMiB);
  const auto taken = memory_.Take(kAlice, kMiB, ClientMemoryNeed::kNow);
  EXPECT_TRUE(taken);
  EXPECT_EQ(budget_.Shortage(), kMiB);  // The evictor makes up for it.
}

TEST_F(ClientMemoryTest, OrdinaryUsersGetAPartOfTheCapacityAndOneHalfOfIt) {
  constexpr Payer kBob{1001, 1001};
  constexpr Payer kCarol{1002, 1002};
  const auto of_alice = memory_.Take(kAlice, 12 * kMiB, ClientMemoryNeed::kNow);
  ASSERT_TRUE(of_alice);
  const auto more = memory_.Take(kAlice, kMiB, ClientMemoryNeed::kNow);
  EXPECT_EQ(more.error().code, Code::kOverQuota);
  EXPECT_NE(more.error().message.find("user 1000, and may share 13107200"),
            std::string::npos)
      << more.error().message;
  // Of 25 MiB, 13 are left.
  EXPECT_FALSE(memory_.Take(kBob, 7 * kMiB, ClientMemoryNeed::kNow));
  const auto of_bob = memory_.Take(kBob, 6 * kMiB, ClientMemoryNeed::kNow);
  ASSERT_TRUE(of_bob);
  EXPECT_FALSE(memory_.Take(kCarol, 4 * kMiB, ClientMemoryNeed::kNow));
  EXPECT_TRUE(memory_.Take(kCarol, 3 * kMiB, ClientMemoryNeed::kNow));
  EXPECT_TRUE(memory_.Take(kRoot, 20 * kMiB, ClientMemoryNeed::kNow));
}

TEST_F(ClientMemoryTest, AQuotaOfMemoryCountsIt) {
  accounts_.SetQuota({.id = 1000, .limits = {{Resource::kMemory, kMiB}}});
  EXPECT_EQ(memory_.Take(kAlice, kMiB + 1, ClientMemoryNeed::kNow).error().code,
            Code::kOverQuota);
  EXPECT_EQ(budget_.Get().used_bytes, 0U);
  EXPECT_TRUE(memory_.Take(kAlice, kMiB, ClientMemoryNeed::kNow));
}

}  // namespace
}  // namespace vitrine::store
