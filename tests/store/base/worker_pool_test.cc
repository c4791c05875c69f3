#include "store/base/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

namespace vitrine::store {
namespace {

TEST(WorkerPoolTest, ShutdownTwiceAndTasksAfterItRunAtOnce) {
  auto pool = *WorkerPool::Start(2);
  pool->Shutdown();
  pool->Shutdown();
  std::thread::id ran_on;
  pool->Run([&ran_on] { ran_on = std::this_thread::get_id(); });
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST(WorkerPoolTest, ShutdownRunsWhatIsQueued) {
  std::atomic<int> count = 0;
  auto pool = *WorkerPool::Start(1);
  std::promise<void> gate;
  pool->Run([opened = gate.get_future().share()] { opened.wait(); });
  for (int i = 0; i < 100; ++i) pool->Run([&count] { ++count; });
  gate.set_value();
  pool->Shutdown();
  EXPECT_EQ(count, 100);
  EXPECT_EQ(pool->queued(), 0U);
}

TEST(WorkerPoolTest, TasksMayAddTasks) {
  std::promise<void> done;
  auto pool = *WorkerPool::Start(1);
  pool->Run([&] { pool->Run([&done] { done.set_value(); }); });
  done.get_future().wait();
}

TEST(WorkerPoolTest, OneSlowTaskLeavesTheOtherThreadFree) {
  auto pool = *WorkerPool::Start(2);
  std::promise<void> gate;
  std::promise<void> done;
  pool->Run([opened = gate.get_future().share()] { opened.wait(); });
  pool->Run([&done] { done.set_value(); });
  done.get_future().wait();
  gate.set_value();
}

}  // namespace
}  // namespace vitrine::store
