#include "schema/machine/collapse_probe.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/schema/machine/probe_at.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::machine {
namespace {

TEST(CollapseProbeTest, WhereNoFileCanBeMadeItSaysWhy) {
  for (const Status& status :
       {ProbeCollapse(-1), ProbeAt(ProbeCollapse, "/proc")}) {
    ASSERT_FALSE(status);
    EXPECT_NE(status.error().message, "");
  }
}

TEST(CollapseProbeTest, OnTmpfsItWorksOrTheKernelDoesNotAndNothingIsLeft) {
  const ScratchDir dir("/dev/shm");
  const Status status = ProbeAt(ProbeCollapse, dir.path());
  if (!status) {
    EXPECT_EQ(status.error().code, Code::kUnsupported);
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

}  // namespace
}  // namespace vitrine::machine
