#include "schema/machine/memory_room.h"

#include <gtest/gtest.h>

#include "tests/schema/machine/fake_root.h"

namespace vitrine::machine {
namespace {

constexpr uint64_t kMiB = 1 << 20;

class MemoryRoomTest : public testing::Test {
 protected:
  void WriteMachine() {
    root_.Write("proc/meminfo",
                "MemTotal: 1048576 kB\nMemAvailable: 524288 kB\n"
                "Shmem: 102400 kB\n");
  }
  std::vector<MemoryRoom> Rooms() const {
    return ReadMemoryRooms(root_.path());
  }

  FakeRoot root_;
};

TEST_F(MemoryRoomTest, WhatCannotBeReadIsLeftOut) {
  EXPECT_TRUE(Rooms().empty());
  root_.Write("proc/meminfo", "MemTotal: 1048576 kB\n");
  root_.Write("proc/self/cgroup", "0::/unit\n");
  root_.Write("sys/fs/cgroup/unit/memory.max", "1048576\n");
  EXPECT_TRUE(Rooms().empty()) << "it does not say what is used";
}

TEST_F(MemoryRoomTest, TheMachineHasWhatIsAvailable) {
  WriteMachine();
  const auto rooms = Rooms();
  ASSERT_EQ(rooms.size(), 1u);
  EXPECT_EQ(rooms[0].limit_bytes, 1024 * kMiB);
  EXPECT_EQ(rooms[0].room_bytes, 512 * kMiB);
  EXPECT_EQ(rooms[0].shared_bytes, 100 * kMiB);
}

TEST_F(MemoryRoomTest, TheSofterLimitCountsIfItIsLess) {
  WriteMachine();
  root_.Write("proc/self/cgroup", "0::/slice/unit\n");
  root_.Write("sys/fs/cgroup/slice/unit/memory.max", "268435456\n");
  root_.Write("sys/fs/cgroup/slice/unit/memory.high", "134217728\n");
  root_.Write("sys/fs/cgroup/slice/unit/memory.current", "104857600\n");
  root_.Write("sys/fs/cgroup/slice/unit/memory.stat",
              "anon 1\nshmem 52428800\ninactive_file 10485760\n"
              "active_file 10485760\n");
  const auto rooms = Rooms();
  ASSERT_EQ(rooms.size(), 2u) << "the slice has no limit";
  EXPECT_TRUE(rooms[1].limit.ends_with("/slice/unit/memory.high"));
  EXPECT_EQ(rooms[1].limit_bytes, 128 * kMiB);
  EXPECT_EQ(rooms[1].room_bytes, 48 * kMiB) << "cached files do not count";
  EXPECT_EQ(rooms[1].shared_bytes, 50 * kMiB);
}

TEST_F(MemoryRoomTest, MoreThanTheLimitLeavesNothing) {
  root_.Write("proc/self/cgroup", "0::/unit\n");
  root_.Write("sys/fs/cgroup/unit/memory.max", "1048576\n");
  root_.Write("sys/fs/cgroup/unit/memory.current", "2097152\n");
  root_.Write("sys/fs/cgroup/unit/memory.stat", "shmem 2097152\n");
  const auto rooms = Rooms();
  ASSERT_EQ(rooms.size(), 1u);
  EXPECT_EQ(rooms[0].room_bytes, 0u);
}

TEST_F(MemoryRoomTest, TheFirstVersionHasOtherNames) {
  WriteMachine();
  root_.Write("proc/self/cgroup", "4:memory:/box\n0::/\n");
  root_.Write("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "134217728\n");
  root_.Write("sys/fs/cgroup/memory/box/memory.usage_in_bytes", "67108864\n");
  root_.Write("sys/fs/cgroup/memory/box/memory.stat",
              "shmem 1\ntotal_shmem 52428800\ntotal_inactive_file 1048576\n");
  // Its way to say that there is no limit.
  root_.Write("sys/fs/cgroup/memory/memory.limit_in_bytes",
              "9223372036854771712\n");
  const auto rooms = Rooms();
  ASSERT_EQ(rooms.size(), 2u);
  EXPECT_EQ(rooms[1].room_bytes, 65 * kMiB);
  EXPECT_EQ(rooms[1].shared_bytes, 50 * kMiB);
}

}  // namespace
}  // namespace vitrine::machine
