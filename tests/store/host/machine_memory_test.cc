#include "store/host/machine_memory.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace vitrine::store {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMiB = 1 << 20;

// Works on a directory that looks like the root of a machine with 1 GiB.
class MachineMemoryTest : public testing::Test {
 protected:
  MachineMemoryTest() {
    std::string pattern = testing::TempDir() + "/vitrine-machine-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
    Write("proc/meminfo", "MemTotal:  1048576 kB\nMemFree: 1 kB\n");
  }
  ~MachineMemoryTest() override { fs::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) const {
    const fs::path file = fs::path(root_) / path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  uint64_t Bytes() const {
    const Result<MachineMemory> memory = ReadMachineMemory(root_);
    return memory ? memory->bytes : 0;
  }

  std::string root_;
};

TEST_F(MachineMemoryTest, WithoutMemTotalItIsAnError) {
  Write("proc/meminfo", "MemFree: 1 kB\nMemTotal: much\n");
  EXPECT_EQ(ReadMachineMemory(root_).error().code, Code::kIoError);
  Write("proc/meminfo", "");
  EXPECT_EQ(ReadMachineMemory(root_).error().code, Code::kIoError);
}

TEST_F(MachineMemoryTest, LimitsThatMakeNoSenseAreIgnored) {
  Write("proc/self/cgroup", "garbage\n0:\n::\n0::/a\n");
  Write("sys/fs/cgroup/a/memory.max", "max\n");
  Write("sys/fs/cgroup/memory.max", "\n");
  EXPECT_EQ(Bytes(), 1024 * kMiB);
}

TEST_F(MachineMemoryTest, TheLeastLimitOfTheCgroupsAboveCounts) {
  Write("proc/self/cgroup", "0::/slice/unit\n");
  Write("sys/fs/cgroup/slice/unit/memory.max", "max\n");
  Write("sys/fs/cgroup/slice/memory.max", "268435456\n");
  EXPECT_EQ(Bytes(), 256 * kMiB);
  EXPECT_EQ(ReadMachineMemory(root_)->source, "the limit of the memory cgroup");
}

TEST_F(MachineMemoryTest, TheFirstVersionOfCgroupsCountsToo) {
  Write("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/box\n0::/\n");
  Write("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "134217728\n");
  EXPECT_EQ(Bytes(), 128 * kMiB);
}

TEST_F(MachineMemoryTest, ALimitAboveTheMachineIsNone) {
  Write("proc/self/cgroup", "4:memory:/\n");
  Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(Bytes(), 1024 * kMiB);
  EXPECT_EQ(ReadMachineMemory(root_)->source, "the machine's memory");
}

TEST_F(MachineMemoryTest, ThePoolOfHugePagesIsCounted) {
  EXPECT_EQ(ReadHugetlbPool(2 * kMiB, root_).pages, 0U);
  const std::string pool = "sys/kernel/mm/hugepages/hugepages-2048kB/";
  Write(pool + "nr_hugepages", "8\n");
  Write(pool + "nr_overcommit_hugepages", "2\n");
  Write(pool + "free_hugepages", "5\n");
  Write(pool + "resv_hugepages", "3\n");
  const HugetlbPool read = ReadHugetlbPool(2 * kMiB, root_);
  EXPECT_EQ(read.pages, 10U);
  EXPECT_EQ(read.free_pages, 4U);
  // What was overcommitted already.
  Write(pool + "surplus_hugepages", "1\n");
  EXPECT_EQ(ReadHugetlbPool(2 * kMiB, root_).pages, 9U);
  EXPECT_EQ(ReadHugetlbPool(2 * kMiB, root_).free_pages, 3U);
}

TEST_F(MachineMemoryTest, ThisMachineHasSome) {
  const Result<MachineMemory> memory = ReadMachineMemory();
  ASSERT_TRUE(memory);
  EXPECT_GT(memory->bytes, kMiB);
}

}  // namespace
}  // namespace vitrine::store
