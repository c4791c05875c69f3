#include "schema/machine/cgroup_memory.h"

#include <gtest/gtest.h>

#include "tests/schema/machine/fake_root.h"

namespace vitrine::machine {
namespace {

constexpr uint64_t kMiB = 1 << 20;

class CgroupMemoryTest : public testing::Test {
 protected:
  std::optional<uint64_t> Limit() const {
    return ReadCgroupMemoryLimit(root_.path());
  }

  FakeRoot root_;
};

TEST_F(CgroupMemoryTest, WithoutCgroupsThereIsNone) {
  EXPECT_EQ(Limit(), std::nullopt);
}

TEST_F(CgroupMemoryTest, WhatMakesNoSenseIsIgnored) {
  root_.Write("proc/self/cgroup", "garbage\n0:\n::\n0::/a\n");
  root_.Write("sys/fs/cgroup/a/memory.max", "max\n");
  root_.Write("sys/fs/cgroup/memory.max", "\n");
  EXPECT_EQ(Limit(), std::nullopt);
}

TEST_F(CgroupMemoryTest, TheLeastLimitOfThoseAboveCounts) {
  root_.Write("proc/self/cgroup", "0::/slice/unit\n");
  root_.Write("sys/fs/cgroup/slice/unit/memory.max", "max\n");
  root_.Write("sys/fs/cgroup/slice/memory.max", "268435456\n");
  EXPECT_EQ(Limit(), 256 * kMiB);
  root_.Write("sys/fs/cgroup/memory.max", "134217728\n");
  EXPECT_EQ(Limit(), 128 * kMiB);
}

TEST_F(CgroupMemoryTest, TheFirstVersionCountsToo) {
  root_.Write("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/box\n0::/\n");
  root_.Write("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "134217728\n");
  EXPECT_EQ(Limit(), 128 * kMiB);
}

// Where both are in use, the second may have the memory of others.
TEST_F(CgroupMemoryTest, TheLesserOfBothVersionsCounts) {
  root_.Write("proc/self/cgroup", "4:hugetlb,memory:/box\n0::/unit\n");
  root_.Write("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "268435456\n");
  root_.Write("sys/fs/cgroup/unit/memory.max", "134217728\n");
  EXPECT_EQ(Limit(), 128 * kMiB);
}

// In a container of version 1 the path is that outside, the files are ours.
TEST_F(CgroupMemoryTest, APathThatIsNotThereEndsAtTheTop) {
  root_.Write("proc/self/cgroup", "4:memory:/docker/0123\n");
  root_.Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "134217728\n");
  EXPECT_EQ(Limit(), 128 * kMiB);
}

}  // namespace
}  // namespace vitrine::machine
