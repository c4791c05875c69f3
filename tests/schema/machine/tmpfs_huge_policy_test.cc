#include "schema/machine/tmpfs_huge_policy.h"

#include <gtest/gtest.h>

#include "tests/schema/machine/fake_root.h"

namespace vitrine::machine {
namespace {

TEST(TmpfsHugePolicyTest, ItIsTheWordInBrackets) {
  const FakeRoot root;
  EXPECT_EQ(ReadTmpfsHugePolicy(root.path()), TmpfsHugePolicy::kMissing);
  const auto read = [&](const char* text) {
    root.Write(kTmpfsHugePolicyFile, text);
    return ReadTmpfsHugePolicy(root.path());
  };
  EXPECT_EQ(read("always never [deny] force\n"), TmpfsHugePolicy::kDenied);
  EXPECT_EQ(read("always never deny [force]\n"), TmpfsHugePolicy::kForced);
  EXPECT_EQ(read("always [never] deny force\n"), TmpfsHugePolicy::kAsMounted);
  EXPECT_EQ(read("always never deny force\n"), TmpfsHugePolicy::kMissing);
}

TEST(TmpfsHugePolicyTest, TheLargestPageIsWhatTheKernelSays) {
  constexpr const char* kFile =
      "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size";
  const FakeRoot root;
  EXPECT_EQ(LargestTmpfsPageBytes(root.path()), uint64_t{2} << 20);
  root.Write(kFile, "536870912\n");
  EXPECT_EQ(LargestTmpfsPageBytes(root.path()), uint64_t{512} << 20);
}

TEST(TmpfsHugePolicyTest, AMountThatSaysNothingHasNone) {
  MountEntry entry;
  entry.super_options = "rw,size=8k";
  EXPECT_EQ(TmpfsHugeOption(entry), "never");
  entry.super_options = "rw,huge=within_size,size=8k";
  EXPECT_EQ(TmpfsHugeOption(entry), "within_size");
}

}  // namespace
}  // namespace vitrine::machine
