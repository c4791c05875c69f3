// The small parts of the mount that need neither mount nor store.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "fusefs/files/answer.h"
#include "fusefs/files/handle_table.h"
#include "fusefs/files/seal_waiters.h"
#include "fusefs/files/task_thread.h"
#include "fusefs/kernel/process_state.h"
#include "schema/base/later.h"

namespace vitrine::fusefs {
namespace {

// Fields 3 to 52 of /proc/<pid>/stat with the given flags and exit code.
std::string StatLine(uint64_t flags, int exit_code) {
  std::string line = "123 (odd ) name) Z";
  for (int field = 4; field <= 52; ++field) {
    line += ' ';
    line += field == 9    ? std::to_string(flags)
            : field == 52 ? std::to_string(exit_code)
                          : "1";
  }
  return line + "\n";
}

TEST(ProcessStateTest, GarbageIsNotKilled) {
  EXPECT_FALSE(SaysKilledBySignal(""));
  EXPECT_FALSE(SaysKilledBySignal("1 (a"));
  EXPECT_FALSE(SaysKilledBySignal("1 (a) "));
  EXPECT_FALSE(SaysKilledBySignal("1 (a) Z 1 2 3"));
  EXPECT_FALSE(IsDyingFromSignal(-1));
}

TEST(ProcessStateTest, OnlyAnExitBySignalIsAKill) {
  constexpr uint64_t kExiting = 0x4;
  constexpr uint64_t kSignaled = 0x400;
  EXPECT_TRUE(SaysKilledBySignal(StatLine(kExiting | kSignaled, 9)));
  EXPECT_TRUE(SaysKilledBySignal(StatLine(kExiting, 11 | 0x80)));
  EXPECT_FALSE(SaysKilledBySignal(StatLine(kExiting, 3 << 8)));
  EXPECT_FALSE(SaysKilledBySignal(StatLine(kExiting | kSignaled, 0)));
  EXPECT_FALSE(SaysKilledBySignal(StatLine(0, 9)));
}

TEST(ProcessStateTest, KnowsTheDead) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::raise(SIGKILL);
  }
  siginfo_t info;
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT),
            0);
  EXPECT_TRUE(IsDyingFromSignal(child));
  EXPECT_FALSE(IsDyingFromSignal(::getpid()));
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
}

TEST(SealWaitersTest, EachWaiterIsWokenOrRemovedOnce) {
  SealWaiters waiters;
  const ObjectId id = *ObjectId::FromText("a");
  int woken = 0;
  const uint64_t one = waiters.Add(id, [&] { ++woken; });
  waiters.Add(id, [&] { ++woken; });
  waiters.Add(*ObjectId::FromText("b"), [&] { woken += 100; });
  EXPECT_TRUE(waiters.Remove(id, one));
  EXPECT_FALSE(waiters.Remove(id, one));
  for (auto& wake : waiters.Take(id)) wake();
  EXPECT_EQ(woken, 1);
  EXPECT_TRUE(waiters.Take(id).empty());
  EXPECT_EQ(waiters.size(), 1u);
}

TEST(TaskThreadTest, StopDropsWhatIsNotDueAndRefusesMore) {
  TaskThread tasks("test");
  int ran = 0;
  tasks.RunAfter(std::chrono::hours(1), [&] { ran += 100; });
  tasks.Run([&] { ++ran; });
  tasks.Stop();
  tasks.Stop();
  EXPECT_EQ(ran, 1);
  EXPECT_FALSE(tasks.Run([&] { ++ran; }));
}

TEST(TaskThreadTest, RunsInOrderAndInTime) {
  TaskThread tasks("test");
  std::vector<int> order;
  std::atomic<bool> done = false;
  tasks.RunAfter(std::chrono::milliseconds(20), [&] {
    order.push_back(4);
    done = true;
  });
  tasks.RunAfter(std::chrono::milliseconds(5), [&] { order.push_back(3); });
  tasks.Run([&] { order.push_back(1); });
  tasks.Run([&] { order.push_back(2); });
  while (!done) std::this_thread::yield();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4}));
}

TEST(LaterTest, ResultIsTakenOnce) {
  Later<int> later;
  EXPECT_FALSE(later.Take());
  later.Arrive(7);
  EXPECT_EQ(later.Take(), 7);
  EXPECT_FALSE(later.Take());
}

TEST(LaterTest, WhoeverComesLastRunsTheRest) {
  for (int i = 0; i < 1000; ++i) {
    Later<int> later;
    std::atomic<int> got = 0;
    std::thread other([&] { later.Arrive(i + 1); });
    later.Then([&](int value) { got += value; });
    other.join();
    ASSERT_EQ(got, i + 1);
  }
}

TEST(HandleTableTest, HandlesAreNeverUsedTwice) {
  HandleTable<int> handles;
  const uint64_t one = handles.Add(std::make_shared<int>(1));
  EXPECT_EQ(*handles.Remove(one), 1);
  EXPECT_FALSE(handles.Remove(one));
  EXPECT_FALSE(handles.Find(one));
  EXPECT_NE(handles.Add(std::make_shared<int>(2)), one);
}

TEST(AnswerTest, CarriesAValueOrAnErrno) {
  const Answer<int> value(5);
  EXPECT_TRUE(value);
  EXPECT_EQ(value.error(), 0);
  const Answer<int> failed(Error{Code::kOutOfMemory, "full"});
  EXPECT_FALSE(failed);
  EXPECT_EQ(failed.error(), ENOSPC);
  const Status sealed = Error{Code::kNotPermitted, "sealed"};
  EXPECT_EQ(Answer<void>(sealed).error(), EPERM);
  EXPECT_EQ(Answer<void>(Status()).error(), 0);
}

}  // namespace
}  // namespace vitrine::fusefs
