#include <gtest/gtest.h>

#include <list>
#include <random>
#include <vector>

#include "store/eviction_policy.h"

namespace vitrine {
namespace {

using Numbers = std::vector<uint64_t>;

class LruPolicyTest : public testing::Test {
 protected:
  Numbers Order() {
    Numbers numbers;
    policy_->Visit([&](uint64_t number) {
      numbers.push_back(number);
      return true;
    });
    return numbers;
  }

  std::unique_ptr<EvictionPolicy> policy_ = MakeLruPolicy();
};

TEST_F(LruPolicyTest, EmptyOneVisitsNothing) {
  EXPECT_EQ(Order(), Numbers());
  EXPECT_EQ(policy_->size(), 0u);
}

TEST_F(LruPolicyTest, UnknownNumbersAreIgnored) {
  policy_->Remove(7);
  policy_->Touch(7);
  EXPECT_EQ(Order(), Numbers());
  policy_->Add(1);
  policy_->Remove(7);
  policy_->Touch(7);
  EXPECT_EQ(Order(), Numbers({1}));
}

TEST_F(LruPolicyTest, RemovingTwiceRemovesOnce) {
  policy_->Add(1);
  policy_->Add(2);
  policy_->Remove(1);
  policy_->Remove(1);
  EXPECT_EQ(Order(), Numbers({2}));
  EXPECT_EQ(policy_->size(), 1u);
}

TEST_F(LruPolicyTest, AddingTwiceCountsAsUse) {
  policy_->Add(1);
  policy_->Add(2);
  policy_->Add(1);
  EXPECT_EQ(Order(), Numbers({2, 1}));
  EXPECT_EQ(policy_->size(), 2u);
}

TEST_F(LruPolicyTest, VisitEndsWhenToldTo) {
  for (uint64_t number = 0; number < 10; ++number) policy_->Add(number);
  Numbers seen;
  policy_->Visit([&](uint64_t number) {
    seen.push_back(number);
    return seen.size() < 3;
  });
  EXPECT_EQ(seen, Numbers({0, 1, 2}));
}

TEST_F(LruPolicyTest, LeastRecentlyUsedComesFirst) {
  for (uint64_t number = 1; number <= 4; ++number) policy_->Add(number);
  policy_->Touch(1);
  policy_->Touch(3);
  EXPECT_EQ(Order(), Numbers({2, 4, 1, 3}));
  EXPECT_STREQ(policy_->name(), "lru");
}

TEST_F(LruPolicyTest, AgreesWithASimpleListUnderRandomUse) {
  std::mt19937_64 random(1);
  std::list<uint64_t> model;
  for (int step = 0; step < 20000; ++step) {
    const uint64_t number = random() % 64;
    const bool known =
        std::find(model.begin(), model.end(), number) != model.end();
    const uint64_t what = random() % 3;
    if (what == 0) policy_->Add(number);
    if (what == 1) policy_->Remove(number);
    if (what == 2) policy_->Touch(number);
    model.remove(number);
    if (what == 0 || (what == 2 && known)) model.push_back(number);
    ASSERT_EQ(policy_->size(), model.size());
    if (step % 100 == 0) {
      ASSERT_EQ(Order(), Numbers(model.begin(), model.end()));
    }
  }
}

}  // namespace
}  // namespace vitrine
