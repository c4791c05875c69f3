#include "store/table/eviction_queue.h"

#include <gtest/gtest.h>

#include <vector>

namespace vitrine::store {
namespace {

class EvictionQueueTest : public testing::Test {
 protected:
  std::vector<EvictionEntry*> Order() const {
    std::vector<EvictionEntry*> order;
    queue_.Visit([&order](EvictionEntry* entry) {
      order.push_back(entry);
      return true;
    });
    return order;
  }

  EvictionEntry a_, b_, c_;
  EvictionQueue queue_{MakeLruPolicy()};
};

using Entries = std::vector<EvictionEntry*>;

// Invariant (1).
TEST_F(EvictionQueueTest, CountsTheBytesOfWhatIsKnown) {
  queue_.Add(&a_, 10);
  queue_.Add(&b_, 5);
  EXPECT_EQ(queue_.bytes(), 15u);
  EXPECT_EQ(queue_.size(), 2u);
  queue_.Remove(&a_, 10);
  EXPECT_EQ(queue_.bytes(), 5u);
  EXPECT_EQ(Order(), Entries({&b_}));
}

TEST_F(EvictionQueueTest, WhatIsUnknownIsRemovedForNothing) {
  queue_.Add(&a_, 10);
  queue_.Remove(&b_, 7);
  queue_.Touch(&b_);
  EXPECT_EQ(queue_.bytes(), 10u);
  EXPECT_EQ(Order(), Entries({&a_}));
}

// Invariant (2).
TEST_F(EvictionQueueTest, AddingTwiceCountsOnceAndKeepsThePlace) {
  queue_.Add(&a_, 10);
  queue_.Add(&b_, 10);
  queue_.Add(&a_, 10);
  EXPECT_EQ(queue_.bytes(), 20u);
  EXPECT_EQ(Order(), Entries({&a_, &b_}));
}

TEST_F(EvictionQueueTest, AUseMovesToTheYoungEnd) {
  for (EvictionEntry* entry : {&a_, &b_, &c_}) queue_.Add(entry, 1);
  queue_.Touch(&a_);
  EXPECT_EQ(Order(), Entries({&b_, &c_, &a_}));
}

TEST_F(EvictionQueueTest, AVisitEndsWhenItHasEnough) {
  for (EvictionEntry* entry : {&a_, &b_, &c_}) queue_.Add(entry, 1);
  int visited = 0;
  queue_.Visit([&visited](EvictionEntry*) { return ++visited < 2; });
  EXPECT_EQ(visited, 2);
}

}  // namespace
}  // namespace vitrine::store
