#include "client/index/session_stripe.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <random>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace vitrine {
namespace {

class SessionStripeTest : public testing::Test {
 protected:
  ClientStripe owner_;
  std::unique_ptr<PageStripe> page_ = std::make_unique<PageStripe>();
  SessionStripe stripe_{&owner_, page_.get()};
};

// Invariant (1) of SessionStripe.
TEST_F(SessionStripeTest, SaysWhenAllPinsAreTaken) {
  SpinLockHolder lock(stripe_.lock());
  for (size_t i = 0; i < kPinsPerStripe; ++i) {
    ASSERT_NE(stripe_.Pin(3, 1), SessionStripe::kNoPin);
  }
  EXPECT_EQ(stripe_.Pin(3, 1), SessionStripe::kNoPin);
  EXPECT_EQ(page_->pins_high_water, kPinsPerStripe);
  stripe_.Unpin(17);
  EXPECT_EQ(page_->pins[17], 0u);
  EXPECT_EQ(stripe_.Pin(4, 2), 17);
  EXPECT_EQ(page_->pins[17], MakePin(4, 2));
}

// Invariant (1) of SessionStripe.
TEST_F(SessionStripeTest, NoTwoObjectsHaveTheSamePin) {
  SpinLockHolder lock(stripe_.lock());
  std::mt19937 random(1);
  std::vector<int> held;
  std::set<int> numbers;
  for (uint32_t step = 0; step < 20'000; ++step) {
    if (held.empty() || random() % 3 != 0) {
      const int pin = stripe_.Pin(step, 1);
      if (pin == SessionStripe::kNoPin) {
        EXPECT_EQ(held.size(), kPinsPerStripe);
        continue;
      }
      ASSERT_TRUE(numbers.insert(pin).second) << pin;
      ASSERT_LT(static_cast<uint32_t>(pin), page_->pins_high_water);
      held.push_back(pin);
    } else {
      std::swap(held[random() % held.size()], held.back());
      stripe_.Unpin(held.back());
      numbers.erase(held.back());
      held.pop_back();
    }
  }
}

TEST_F(SessionStripeTest, AFormerPageIsNotTouched) {
  SpinLockHolder lock(stripe_.lock());
  const int pin = stripe_.Pin(3, 1);
  stripe_.ForgetPage();
  stripe_.Unpin(pin);
  stripe_.Touch(5);
  EXPECT_EQ(page_->pins[static_cast<size_t>(pin)], MakePin(3, 1));
  EXPECT_EQ(page_->touch_count, 0u);
  EXPECT_EQ(stripe_.Pin(3, 1), SessionStripe::kNoPin);
}

TEST_F(SessionStripeTest, TheRingKeepsTheLastTouches) {
  SpinLockHolder lock(stripe_.lock());
  for (uint32_t slot = 0; slot < 3 * kTouchesPerStripe; ++slot) {
    stripe_.Touch(slot);
  }
  EXPECT_EQ(page_->touch_count, 3 * kTouchesPerStripe);
  EXPECT_EQ(page_->touches[0], 2 * kTouchesPerStripe);
}

TEST(SpinLockTest, ManyThreadsCountRight) {
  SpinLock lock;
  int count = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int step = 0; step < 20000; ++step) {
        SpinLockHolder holder(lock);
        ++count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 8 * 20000);
}

}  // namespace
}  // namespace vitrine
