#include "schema/machine/memory.h"

#include <gtest/gtest.h>

#include "tests/schema/machine/fake_root.h"

namespace vitrine::machine {
namespace {

constexpr uint64_t kMiB = 1 << 20;

// A machine with 1 GiB.
class MemoryTest : public testing::Test {
 protected:
  MemoryTest() {
    root_.Write("proc/meminfo", "MemTotal:  1048576 kB\nMemFree: 1 kB\n");
  }
  Memory Read() const { return *ReadMemory(root_.path()); }

  FakeRoot root_;
};

TEST_F(MemoryTest, WithoutMemTotalItIsAnError) {
  for (const char* text : {"MemFree: 1 kB\nMemTotal: much\n", "",
                           "MemTotal: 18446744073709551615 kB\n"}) {
    root_.Write("proc/meminfo", text);
    EXPECT_EQ(ReadMemory(root_.path()).error().code, Code::kIoError) << text;
  }
}

TEST_F(MemoryTest, ALimitAboveTheMachineIsNone) {
  root_.Write("proc/self/cgroup", "4:memory:/\n");
  root_.Write("sys/fs/cgroup/memory/memory.limit_in_bytes",
              "9223372036854771712\n");
  EXPECT_EQ(Read().cgroup_limit_bytes, std::nullopt);
  EXPECT_EQ(Read().usable_bytes(), 1024 * kMiB);
}

TEST_F(MemoryTest, ALimitBelowTheMachineIsWhatCanBeUsed) {
  root_.Write("proc/self/cgroup", "0::/\n");
  root_.Write("sys/fs/cgroup/memory.max", "268435456\n");
  EXPECT_EQ(Read().total_bytes, 1024 * kMiB);
  EXPECT_EQ(Read().cgroup_limit_bytes, 256 * kMiB);
  EXPECT_EQ(Read().usable_bytes(), 256 * kMiB);
}

TEST_F(MemoryTest, ThisMachineHasSome) {
  const Result<Memory> memory = ReadMemory();
  ASSERT_TRUE(memory);
  EXPECT_GT(memory->usable_bytes(), kMiB);
}

}  // namespace
}  // namespace vitrine::machine
