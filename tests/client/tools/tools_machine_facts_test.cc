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

TEST(MachineFactsTest, TheSelectedWordIsInBrackets) {
  EXPECT_EQ(SelectedWord("always within_size [never] deny\n"), "never");
  EXPECT_EQ(SelectedWord("none"), "");
  EXPECT_EQ(SelectedWord("]wrong["), "");
  EXPECT_EQ(SelectedWord(""), "");
}

TEST(MachineFactsTest, ACommentIsNoSetting) {
  EXPECT_TRUE(HasConfLine("# x\n  user_allow_other \n", "user_allow_other"));
  EXPECT_FALSE(HasConfLine("#user_allow_other\n", "user_allow_other"));
  EXPECT_FALSE(HasConfLine("user_allow_others\n", "user_allow_other"));
  EXPECT_FALSE(HasConfLine("", "user_allow_other"));
}

TEST(MachineFactsTest, NumbersAreFoundAtTheStartOfLines) {
  const char* text = "XCapEff: 1\nCapEff:\t00000000ff\nMemTotal: 12 kB\n";
  EXPECT_EQ(FindNumber(text, "CapEff:", 16), 255u);
  EXPECT_EQ(FindNumber(text, "MemTotal:", 10), 12u);
  EXPECT_FALSE(FindNumber(text, "Nothing:", 10));
  EXPECT_FALSE(FindNumber("max\n", "", 10));
  EXPECT_FALSE(FindNumber("", "", 10));
  EXPECT_FALSE(FindNumber("Key:", "Key:", 10));
}

TEST(MachineFactsTest, AMountOptionHasAValue) {
  EXPECT_EQ(MountOption("rw,huge=within_size,size=8k", "huge"), "within_size");
  EXPECT_EQ(MountOption("rw,relatime", "huge"), "");
  EXPECT_EQ(MountOption("", "huge"), "");
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
  EXPECT_GT(facts.memory_bytes, 0u);
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
