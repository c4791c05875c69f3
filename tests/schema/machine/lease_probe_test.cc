#include "schema/machine/lease_probe.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/schema/machine/probe_at.h"
#include "tests/support/scratch_dir.h"
#include "tests/support/scratch_huge_pages.h"

namespace vitrine::machine {
namespace {

TEST(LeaseProbeTest, WhereNoFileCanBeMadeItSaysWhy) {
  EXPECT_FALSE(ProbeLeases(-1));
  const Status status = ProbeAt(ProbeLeases, "/proc");
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().code, Code::kUnsupported);
  EXPECT_NE(status.error().message, "");
}

TEST(LeaseProbeTest, LeasesOnTmpfsTellTheTruthAndNothingIsLeft) {
  const ScratchDir dir;
  const Status status = ProbeAt(ProbeLeases, dir.path());
  EXPECT_TRUE(status) << status.error().message;
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(LeaseProbeTest, TheUmaskDoesNotMatter) {
  const ScratchDir dir;
  const mode_t old_umask = ::umask(0777);
  const Status status = ProbeAt(ProbeLeases, dir.path());
  ::umask(old_umask);
  EXPECT_TRUE(status);
}

TEST(LeaseProbeTest, LeasesOnHugetlbfsTellTheTruth) {
  const ScratchHugePages pages(1);
  const ScratchMount mount("hugetlbfs", "pagesize=2M");
  if (!pages.available() || !mount.mounted()) {
    GTEST_SKIP() << "no huge pages to be had";
  }
  const Status status = ProbeAt(ProbeLeases, mount.path());
  EXPECT_TRUE(status) << status.error().message;
}

}  // namespace
}  // namespace vitrine::machine
