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
  auto taken = memory_.Take(kAlice, kMiB, ClientMemoryNeed::kIfThere);
  ASSERT_TRUE(taken);
  EXPECT_EQ(budget_.Get().used_bytes, kMiB);
  EXPECT_EQ(OfAlice(), kMiB);
  EXPECT_EQ(memory_.bytes(), kMiB);
  taken->reset();
  EXPECT_EQ(budget_.Get().used_bytes, 0U);
  EXPECT_EQ(OfAlice(), 0U);
  EXPECT_EQ(memory_.bytes(), 0U);
}

TEST_F(ClientMemoryTest, InAFullStoreOnlyWhatIsNeededIsGiven) {
  ASSERT_TRUE(budget_.TryCharge(100 * kMiB));
  EXPECT_EQ(memory_.Take(kAlice, 1, ClientMemoryNeed::kIfThere).error().code,
            Code::kOutOfMemory);
  EXPECT_EQ(OfAlice(), 0U);
  EXPECT_EQ(memory_.bytes(), 0U);
  const auto taken = memory_.Take(kAlice, kMiB, ClientMemoryNeed::kNow);
  EXPECT_TRUE(taken);
  EXPECT_EQ(budget_.Shortage(), kMiB);  // The evictor makes up for it.
}

TEST_F(ClientMemoryTest, AllClientsGetAPartOfTheCapacity) {
  std::vector<std::shared_ptr<const void>> taken;
  for (int i = 0; i < 25; ++i) {
    auto one = memory_.Take(kRoot, kMiB, ClientMemoryNeed::kNow);
    ASSERT_TRUE(one) << i;
    taken.push_back(*one);
  }
  const auto more = memory_.Take(kRoot, 1, ClientMemoryNeed::kNow);
  EXPECT_EQ(more.error().code, Code::kTooMany);
  EXPECT_NE(more.error().message.find("may share 26214400"), std::string::npos);
  taken.pop_back();
  EXPECT_TRUE(memory_.Take(kRoot, kMiB, ClientMemoryNeed::kNow));
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
