#include "store/host/numa_policy.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <numa.h>
#include <numaif.h>
#include <sys/stat.h>

#include <filesystem>
#include <optional>

#include "schema/base/mapping.h"
#include "store/segments/segment_dir.h"
#include "tests/support/scratch_dir.h"
#include "tests/support/scratch_huge_pages.h"

namespace vitrine::store {
namespace {

using Mode = NumaOptions::Mode;

constexpr uint64_t kNumber = 7;
constexpr uint64_t kHugePageBytes = 2 << 20;

// The mode of the pages behind `data`.
int ModeOf(void* data) {
  int mode = -1;
  EXPECT_EQ(::get_mempolicy(&mode, nullptr, 0, data, MPOL_F_ADDR), 0);
  return mode;
}

class NumaPolicyTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::numa_available() < 0) GTEST_SKIP() << "a kernel without NUMA";
    std::filesystem::create_directory(scratch_.path() + "/retired");
  }

  SegmentDir Open(const NumaOptions& options) {
    auto policy = NumaPolicy::Make(options);
    EXPECT_TRUE(policy);
    auto dir = SegmentDir::Open(scratch_.path(), scratch_.path() + "/retired");
    EXPECT_TRUE(dir);
    dir->SetNumaPolicy(*policy);
    return *std::move(dir);
  }

  // As another process sees a segment's policy.
  static int ModeOfSegment(const SegmentDir& dir) {
    auto fd = dir.OpenFresh(kNumber, O_RDONLY);
    EXPECT_TRUE(fd);
    auto mapping = Mapping::Map(fd->get(), kHugePageBytes, PROT_READ);
    EXPECT_TRUE(mapping);
    return ModeOf(mapping->data());
  }

  ScratchDir scratch_;
};

TEST_F(NumaPolicyTest, ANodeThatDoesNotExistIsRefused) {
  for (const int node : {::numa_max_node() + 1, 1 << 20}) {
    const auto policy = NumaPolicy::Make(
        {.mode = Mode::kNode, .node = static_cast<unsigned>(node)});
    ASSERT_FALSE(policy);
    EXPECT_EQ(policy.error().code, Code::kInvalidArgument);
    EXPECT_NE(policy.error().message.find(std::to_string(node)),
              std::string::npos);
  }
}

TEST_F(NumaPolicyTest, SegmentsHaveNoPolicyByDefault) {
  SegmentDir dir = Open({});
  ASSERT_TRUE(dir.Create(kNumber));
  EXPECT_EQ(ModeOfSegment(dir), MPOL_DEFAULT);
}

TEST_F(NumaPolicyTest, SegmentsAreInterleaved) {
  SegmentDir dir = Open({.mode = Mode::kInterleave});
  ASSERT_TRUE(dir.Create(kNumber));
  EXPECT_EQ(ModeOfSegment(dir), MPOL_INTERLEAVE);
  ASSERT_TRUE(dir.SetSize(kNumber, kHugePageBytes));
  EXPECT_TRUE(dir.Reserve(kNumber, 0, kHugePageBytes));
}

TEST_F(NumaPolicyTest, SegmentsAreOnTheNode) {
  SegmentDir dir = Open({.mode = Mode::kNode, .node = 0});
  ASSERT_TRUE(dir.Create(kNumber));
  EXPECT_EQ(ModeOfSegment(dir), MPOL_PREFERRED);
}

TEST_F(NumaPolicyTest, SegmentsMadeAheadOfTimeHaveThePolicy) {
  SegmentDir dir = Open({.mode = Mode::kInterleave});
  ASSERT_TRUE(dir.MakeRetired(1, kHugePageBytes));
  ASSERT_TRUE(dir.Reinstate(1, kNumber));
  EXPECT_EQ(ModeOfSegment(dir), MPOL_INTERLEAVE);
}

TEST_F(NumaPolicyTest, ThePolicyLeavesNobodyWithTheSegmentOpen) {
  SegmentDir dir = Open({.mode = Mode::kInterleave});
  ASSERT_TRUE(dir.Create(kNumber));
  const auto file = dir.OpenShared(kNumber);
  ASSERT_TRUE(file);
  const auto alone = (*file)->LeaseAlone();
  EXPECT_TRUE(alone && *alone);
}

TEST_F(NumaPolicyTest, HugePagesAreAllocatedAllOrNone) {
  const ScratchHugePages pages(4);
  if (!pages.available()) GTEST_SKIP() << "no huge pages to be had";
  const ScratchMount mount("hugetlbfs", "pagesize=2M,size=8M");
  if (!mount.mounted()) GTEST_SKIP() << "mounting is not permitted";
  auto dir = SegmentDir::Open(mount.path());
  ASSERT_TRUE(dir) << dir.error().ToString();
  dir->SetNumaPolicy(*NumaPolicy::Make({.mode = Mode::kInterleave}));
  ASSERT_TRUE(dir->Create(kNumber));
  ASSERT_TRUE(dir->SetSize(kNumber, 8 * kHugePageBytes));
  const Status too_many = dir->Reserve(kNumber, 0, 8 * kHugePageBytes);
  ASSERT_FALSE(too_many);
  EXPECT_EQ(too_many.error().code, Code::kOutOfMemory);
  ASSERT_TRUE(dir->Reserve(kNumber, 0, 3 * kHugePageBytes));
  const auto file = dir->OpenShared(kNumber);
  ASSERT_TRUE(file);
  EXPECT_EQ((*file)->Stat()->allocated_bytes, 3 * kHugePageBytes);
}

}  // namespace
}  // namespace vitrine::store
