#include <gtest/gtest.h>

#include <array>
#include <list>
#include <random>
#include <vector>

#include "store/table/eviction_policy.h"

namespace vitrine::store {
namespace {

using Numbers = std::vector<uint64_t>;

class LruPolicyTest : public testing::Test {
 protected:
  Numbers Order() {
    Numbers numbers;
    policy_->Visit([&](EvictionEntry* entry) {
      numbers.push_back(NumberOf(entry));
      return true;
    });
    return numbers;
  }
  EvictionEntry* At(uint64_t number) { return &entries_.at(number); }
  uint64_t NumberOf(const EvictionEntry* entry) const {
    return static_cast<uint64_t>(entry - entries_.data());
  }

  std::array<EvictionEntry, 64> entries_;
  std::unique_ptr<EvictionPolicy> policy_ = MakeLruPolicy();
};

TEST_F(LruPolicyTest, EmptyOneVisitsNothing) {
  EXPECT_EQ(Order(), Numbers());
  EXPECT_EQ(policy_->size(), 0u);
}

TEST_F(LruPolicyTest, UnknownEntriesAreIgnored) {
  policy_->Remove(At(7));
  policy_->Touch(At(7));
  EXPECT_EQ(Order(), Numbers());
  policy_->Add(At(1));
  policy_->Remove(At(7));
  policy_->Touch(At(7));
  EXPECT_EQ(Order(), Numbers({1}));
}

TEST_F(LruPolicyTest, RemovingTwiceRemovesOnce) {
  policy_->Add(At(1));
  policy_->Add(At(2));
  policy_->Remove(At(1));
  policy_->Remove(At(1));
  EXPECT_EQ(Order(), Numbers({2}));
  EXPECT_EQ(policy_->size(), 1u);
}

TEST_F(LruPolicyTest, AddingTwiceCountsAsUse) {
  policy_->Add(At(1));
  policy_->Add(At(2));
  policy_->Add(At(1));
  EXPECT_EQ(Order(), Numbers({2, 1}));
  EXPECT_EQ(policy_->size(), 2u);
}

TEST_F(LruPolicyTest, VisitEndsWhenToldTo) {
  for (uint64_t number = 0; number < 10; ++number) policy_->Add(At(number));
  Numbers seen;
  policy_->Visit([&](EvictionEntry* entry) {
    seen.push_back(NumberOf(entry));
    return seen.size() < 3;
  });
  EXPECT_EQ(seen, Numbers({0, 1, 2}));
}

TEST_F(LruPolicyTest, LeastRecentlyUsedComesFirst) {
  for (uint64_t number = 1; number <= 4; ++number) policy_->Add(At(number));
  policy_->Touch(At(1));
  policy_->Touch(At(3));
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
    if (what == 0) policy_->Add(At(number));
    if (what == 1) policy_->Remove(At(number));
    if (what == 2) policy_->Touch(At(number));
    model.remove(number);
    if (what == 0 || (what == 2 && known)) model.push_back(number);
    ASSERT_EQ(policy_->size(), model.size());
    if (step % 100 == 0) {
      ASSERT_EQ(Order(), Numbers(model.begin(), model.end()));
    }
  }
}

TEST_F(LruPolicyTest, EachOwnerHasAnOrderOfHisOwn) {
  for (uint64_t number = 1; number <= 5; ++number) {
    At(number)->owner = number % 2 == 0 ? 7 : 8;
    policy_->Add(At(number));
  }
  policy_->Touch(At(1));
  policy_->Remove(At(4));
  const auto order_of = [this](uid_t owner) {
    Numbers numbers;
    policy_->VisitOf(owner, [&](EvictionEntry* entry) {
      numbers.push_back(NumberOf(entry));
      return true;
    });
    return numbers;
  };
  EXPECT_EQ(order_of(7), Numbers({2}));
  EXPECT_EQ(order_of(8), Numbers({3, 5, 1}));
  EXPECT_EQ(order_of(9), Numbers());
  EXPECT_EQ(Order(), Numbers({2, 3, 5, 1}));
  EXPECT_EQ(policy_->SizeOf(8), 3u);
  EXPECT_EQ(policy_->SizeOf(9), 0u);
}

}  // namespace
}  // namespace vitrine::store
