#include <gtest/gtest.h>

#include <filesystem>

#include "client/tools/machine_facts.h"
#include "client/tools/machine_probes.h"

namespace vitrine::tools {
namespace {

TEST(MachineFactsTest, WhatIsNoKernelVersionIsOldEnough) {
  for (const char* release : {"", "6", "6.", "x.y", "six.nine"}) {
    EXPECT_FALSE(KernelIsAtLeast(release, 6, 9)) << release;
  }
}

TEST(MachineFactsTest, KernelVersionsAreComparedAsNumbers) {
  EXPECT_TRUE(KernelIsAtLeast("6.9.0-custom", 6, 9));
  EXPECT_TRUE(KernelIsAtLeast("6.18", 6, 9));
  EXPECT_TRUE(KernelIsAtLeast("7.0", 6, 9));
  EXPECT_FALSE(KernelIsAtLeast("6.8.12", 6, 9));
  EXPECT_FALSE(KernelIsAtLeast("5.15.0-91-generic", 6, 9));
}

TEST(MachineFactsTest, LeasesCannotBeTriedWhereNoFileCanBeMade) {
  const Probe probe = ProbeLeases("/proc/nowhere");
  EXPECT_FALSE(probe.works);
  EXPECT_NE(probe.why_not, "");
}

TEST(MachineFactsTest, GatheringLeavesNothingBehind) {
  const auto descriptors_before =
      std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  const MachineFacts facts = GatherMachineFacts();
  EXPECT_NE(facts.kernel_release, "");
  ASSERT_TRUE(facts.memory);
  EXPECT_GT(facts.memory->total_bytes, 0u);
  EXPECT_GT(facts.max_descriptors, 0u);
  EXPECT_GT(facts.max_mappings, 0u);
  // What was tried either works or says why not.
  for (const Probe& probe :
       {facts.fuse_device, facts.own_tmpfs, facts.huge_tmpfs, facts.shm}) {
    EXPECT_EQ(probe.works, probe.why_not.empty()) << probe.why_not;
  }
  EXPECT_EQ(
      std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}),
      descriptors_before);
}

}  // namespace
}  // namespace vitrine::tools
