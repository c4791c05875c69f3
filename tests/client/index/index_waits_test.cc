#include "client/index/index_waits.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "schema/base/futex.h"
#include "tests/client/index/index_file.h"
#include "tests/client/test_store.h"
#include "tests/support/asleep.h"

namespace vitrine {
namespace {

using Outcome = IndexWaits::Outcome;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::chrono::nanoseconds kNoSpin{0};

// How long `thread` has run by now.
std::chrono::nanoseconds RunTime(std::thread* thread) {
  clockid_t clock = 0;
  timespec time{};
  ::pthread_getcpuclockid(thread->native_handle(), &clock);
  ::clock_gettime(clock, &time);
  return seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

class IndexWaitsTest : public testing::Test {
 protected:
  uint64_t Bit(const std::string& id) const {
    return AwaitedBit(index_.GroupOf(id));
  }
  // As the store does it.
  void Publish(uint32_t slot, const std::string& id) {
    file_.Publish(slot, id, 1, 1);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if ((page_.awaited_groups & Bit(id)) != 0) {
      WakeFutex(&file_.bucket_of(id).version);
    }
  }
  Outcome AwaitForEver(const std::string& id) {
    return waits_.Await(id, kNoSpin, kNoDeadline);
  }
  bool Waiting(uint32_t threads) {
    return Eventually([&] { return page_.waiters == threads; });
  }

  IndexFile file_;
  IndexReader index_ = *IndexReader::Open(file_.fd());
  ClientPage page_{};
  IndexWaits waits_{&index_, &page_};
};

TEST_F(IndexWaitsTest, TimeIsUp) {
  EXPECT_EQ(waits_.Await("a", kNoSpin, Clock::now()), Outcome::kTimeout);
  EXPECT_EQ(waits_.Await("a", kNoSpin, Clock::now() + milliseconds(10)),
            Outcome::kTimeout);
  EXPECT_EQ(waits_.Await("a", seconds(100), Clock::now() + milliseconds(10)),
            Outcome::kTimeout);
  EXPECT_EQ(page_.awaited_groups, 0U);
  EXPECT_EQ(page_.waiters, 0U);
}

TEST_F(IndexWaitsTest, ThatWhichTheStoreIsAtWorkOnIsLookedAtAgain) {
  ++file_.bucket_of("a").version;
  EXPECT_EQ(AwaitForEver("a"), Outcome::kLookAgain);
}

TEST_F(IndexWaitsTest, WhatIsThereIsNotWaitedFor) {
  Publish(0, "a");
  EXPECT_EQ(AwaitForEver("a"), Outcome::kLookAgain);
}

TEST_F(IndexWaitsTest, TheEndWakesAllAndLetsNobodyWaitAgain) {
  std::vector<std::thread> waiting;
  for (int i = 0; i < 8; ++i) {
    waiting.emplace_back([&, i] {
      EXPECT_EQ(AwaitForEver("id" + std::to_string(i % 3)), Outcome::kEnded);
    });
  }
  ASSERT_TRUE(Waiting(8));
  waits_.End();
  for (std::thread& thread : waiting) thread.join();
  EXPECT_EQ(page_.awaited_groups, 0U);
  EXPECT_EQ(AwaitForEver("a"), Outcome::kEnded);
  EXPECT_EQ(waits_.Await("a", seconds(100), kNoDeadline), Outcome::kEnded);
}

// Its bit is set as long as one of them waits.
TEST_F(IndexWaitsTest, ThreadsShareABit) {
  std::thread first([&] { EXPECT_EQ(AwaitForEver("a"), Outcome::kLookAgain); });
  ASSERT_TRUE(Waiting(1));
  EXPECT_EQ(waits_.Await("a", kNoSpin, Clock::now() + milliseconds(10)),
            Outcome::kTimeout);
  EXPECT_EQ(page_.awaited_groups, Bit("a"));
  Publish(0, "a");
  first.join();
  EXPECT_EQ(page_.awaited_groups, 0U);
}

TEST_F(IndexWaitsTest, WhatComesIntoTheSameChainEndsNoOtherWait) {
  std::string other = "b";
  while (&file_.bucket_of(other) != &file_.bucket_of("a")) other += "b";
  std::atomic<bool> over = false;
  ObservedThread waiting([&] {
    EXPECT_EQ(AwaitForEver("a"), Outcome::kLookAgain);
    over = true;
  });
  ASSERT_TRUE(Waiting(1));
  Publish(0, other);
  WakeFutex(&file_.bucket_of("a").version);
  EXPECT_TRUE(waiting.FallsAsleep());
  EXPECT_FALSE(over);
  Publish(1, "a");
  waiting.Join();
}

// The object comes into the bucket that was split off.
TEST_F(IndexWaitsTest, ASplitSendsItsWaitersToTheOtherBucket) {
  file_.size().bucket_count = 3;
  std::string id = "a";
  while (MakeIndexKey(id, file_.header().seed).low % 4 != 3) id += "a";
  std::thread waiting(
      [&] { EXPECT_EQ(AwaitForEver(id), Outcome::kLookAgain); });
  ASSERT_TRUE(Waiting(1));
  IndexBucket& split = file_.bucket_of(id);
  file_.size().bucket_count = 4;
  split.version += 2;
  EXPECT_NE(page_.awaited_groups, 0U);
  WakeFutex(&split.version);
  ASSERT_NE(&split, &file_.bucket_of(id));
  Publish(0, id);
  waiting.join();
}

TEST_F(IndexWaitsTest, WhoSpinsIsNotAnnounced) {
  std::thread spinning([&] {
    EXPECT_EQ(waits_.Await("a", seconds(100), kNoDeadline),
              Outcome::kLookAgain);
  });
  ASSERT_TRUE(Eventually([&] { return RunTime(&spinning) > milliseconds(5); }));
  EXPECT_EQ(page_.awaited_groups, 0U);
  file_.Publish(0, "a", 1, 1);  // And nobody is woken.
  spinning.join();
}

// Publisher and waiters meet at every point of each other's way.
TEST_F(IndexWaitsTest, NoWakeUpIsLost) {
  constexpr int kRounds = 2000;
  constexpr int kThreads = 3;
  std::atomic<int> got = 0;
  std::vector<std::thread> waiting;
  for (int t = 0; t < kThreads; ++t) {
    waiting.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        const std::string id = "id" + std::to_string(round);
        IndexReader::Entry entry;
        while (index_.Find(id, &entry) != IndexReader::Outcome::kFound) {
          ASSERT_EQ(AwaitForEver(id), Outcome::kLookAgain);
        }
        ++got;
      }
    });
  }
  for (int round = 0; round < kRounds; ++round) {
    const std::string id = "id" + std::to_string(round);
    Publish(0, id);
    while (got < kThreads * (round + 1)) std::this_thread::yield();
    file_.Remove(0, id);
  }
  for (std::thread& thread : waiting) thread.join();
}

}  // namespace
}  // namespace vitrine
