#include "store/server/server_loop.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <atomic>
#include <thread>
#include <vector>

namespace vitrine::store::server {
namespace {

using std::chrono::milliseconds;

class EventLoopTest : public testing::Test {
 protected:
  std::shared_ptr<EventLoop> loop_ = *EventLoop::Create();
};

TEST_F(EventLoopTest, ClosedLoopTakesNoTasks) {
  bool ran = false;
  ASSERT_TRUE(loop_->Post([&ran] { ran = true; }));
  loop_->Close();
  EXPECT_TRUE(ran);
  EXPECT_FALSE(loop_->Post([] { FAIL(); }));
  EXPECT_FALSE(loop_->RunOrPost([] { FAIL(); }));
}

TEST_F(EventLoopTest, StopBeforeRunMakesItReturn) {
  loop_->Stop();
  loop_->Run();
}

TEST_F(EventLoopTest, HandlerThatWasUnwatchedInTheSameTurnIsNotCalled) {
  const UniqueFd first(::eventfd(1, EFD_CLOEXEC));
  const UniqueFd second(::eventfd(1, EFD_CLOEXEC));
  std::vector<uint64_t> watches;
  int calls = 0;
  const auto handler = [&](uint32_t) {
    ++calls;
    for (const uint64_t watch : watches) loop_->Unwatch(watch);
    loop_->Stop();
  };
  watches.push_back(*loop_->Watch(first.get(), EPOLLIN, handler));
  watches.push_back(*loop_->Watch(second.get(), EPOLLIN, handler));
  loop_->Run();
  EXPECT_EQ(calls, 1);
}

TEST_F(EventLoopTest, BadDescriptorIsAnError) {
  EXPECT_FALSE(loop_->Watch(-1, EPOLLIN, [](uint32_t) {}));
}

TEST_F(EventLoopTest, CancelledTimerDoesNotFire) {
  const auto now = EventLoop::Clock::now();
  const auto timer = loop_->StartTimer(now, [] { FAIL(); });
  loop_->StartTimer(now + milliseconds(5), [this] { loop_->Stop(); });
  loop_->CancelTimer(timer);
  loop_->CancelTimer(timer);
  loop_->Run();
}

TEST_F(EventLoopTest, TimersFireInOrderAndNotEarly) {
  const auto start = EventLoop::Clock::now();
  std::vector<int> order;
  loop_->StartTimer(start + milliseconds(20), [&] {
    order.push_back(2);
    loop_->Stop();
  });
  loop_->StartTimer(start + milliseconds(10), [&] { order.push_back(1); });
  loop_->Run();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_GE(EventLoop::Clock::now() - start, milliseconds(20));
}

TEST_F(EventLoopTest, EveryTaskOfManyThreadsRunsOnce) {
  constexpr int kThreads = 4;
  constexpr int kTasks = 2000;
  std::thread runner([this] { loop_->Run(); });
  int count = 0;  // The loop's thread only.
  std::vector<std::thread> posters;
  for (int i = 0; i < kThreads; ++i) {
    posters.emplace_back([&] {
      for (int task = 0; task < kTasks; ++task) {
        EXPECT_TRUE(loop_->Post([&count] { ++count; }));
      }
    });
  }
  for (std::thread& poster : posters) poster.join();
  loop_->Post([this] { loop_->Stop(); });
  runner.join();
  EXPECT_EQ(count, kThreads * kTasks);
}

TEST_F(EventLoopTest, TaskThatPostsIsFollowedByWhatItPosted) {
  bool ran = false;
  loop_->Post([&] {
    loop_->RunOrPost([&ran] { ran = true; });
    EXPECT_TRUE(ran);  // At once: it is the loop's thread.
    loop_->Post([this] { loop_->Stop(); });
  });
  loop_->Run();
}

}  // namespace
}  // namespace vitrine::store::server
