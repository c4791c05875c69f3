#include "schema/machine/memory_alarm.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/schema/machine/fake_root.h"

namespace vitrine::machine {
namespace {

// Longer than any test may take: only the alarm ends such a wait.
constexpr std::chrono::milliseconds kForEver(std::chrono::hours(1));
constexpr std::chrono::milliseconds kMoment(20);

TEST(MemoryAlarmTest, RingsWhenALimitIsWritten) {
  for (const char* file : {"memory.max", "memory.high", "memory.events"}) {
    const FakeRoot root;
    root.Write("proc/self/cgroup", "0::/slice/unit\n");
    root.Write(std::string("sys/fs/cgroup/slice/") + file, "1\n");
    auto alarm = MemoryAlarm::Make(root.path());
    ASSERT_TRUE(alarm);
    root.Write(std::string("sys/fs/cgroup/slice/") + file, "2\n");
    alarm->Wait(kForEver);
    // It has rung once: the next wait lasts.
    const auto before = std::chrono::steady_clock::now();
    alarm->Wait(kMoment);
    EXPECT_GE(std::chrono::steady_clock::now() - before, kMoment);
  }
}

TEST(MemoryAlarmTest, StopEndsThisWaitAndThoseThatFollow) {
  const FakeRoot root;
  auto alarm = MemoryAlarm::Make(root.path());
  ASSERT_TRUE(alarm);
  std::thread waiter([&] { alarm->Wait(kForEver); });
  alarm->Stop();
  waiter.join();
  alarm->Wait(kForEver);
}

// What the kernel really has is watched, too, and does not ring all the time.
TEST(MemoryAlarmTest, TheWaitHasAnEnd) {
  auto alarm = MemoryAlarm::Make();
  ASSERT_TRUE(alarm);
  alarm->Wait(std::chrono::milliseconds(1));
}

}  // namespace
}  // namespace vitrine::machine
