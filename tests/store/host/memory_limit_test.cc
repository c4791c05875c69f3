#include "store/host/memory_limit.h"

#include <gtest/gtest.h>

#include "tests/support/scratch_dir.h"

namespace vitrine::store {
namespace {

constexpr uint64_t kMiB = 1 << 20;

TEST(MemoryLimitTest, AMissingDirectoryIsAnError) {
  EXPECT_FALSE(LimitOfTmpfs("/no/such/directory"));
  EXPECT_FALSE(LimitOfHugetlbfs("/no/such/directory", 0));
}

TEST(MemoryLimitTest, TheMachineSaysWhatLimitsIt) {
  const Result<MemoryLimit> limit = LimitOfMachine();
  ASSERT_TRUE(limit);
  EXPECT_GT(limit->bytes, kMiB);
  EXPECT_NE(limit->source.find("memory"), std::string::npos);
}

TEST(MemoryLimitTest, ATmpfsLimitsOnlyWhereItHasLess) {
  const ScratchMount small("tmpfs", "size=16m");
  const ScratchMount unlimited("tmpfs", "size=0");
  if (!small.mounted() || !unlimited.mounted()) {
    GTEST_SKIP() << "mounting is not permitted";
  }
  const Result<MemoryLimit> limit = LimitOfTmpfs(small.path());
  ASSERT_TRUE(limit);
  EXPECT_EQ(limit->bytes, 16 * kMiB);
  EXPECT_EQ(limit->source, "the tmpfs of " + small.path());
  EXPECT_EQ(LimitOfTmpfs(unlimited.path())->source, LimitOfMachine()->source);
}

}  // namespace
}  // namespace vitrine::store
