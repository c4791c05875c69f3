#include "schema/machine/huge_write_probe.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/schema/machine/probe_at.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::machine {
namespace {

TEST(HugeWriteProbeTest, WhereNoFileCanBeMadeItSaysWhy) {
  for (const Status& status :
       {ProbeHugeWrites(-1), ProbeAt(ProbeHugeWrites, "/proc")}) {
    ASSERT_FALSE(status);
    EXPECT_NE(status.error().message, "");
  }
}

TEST(HugeWriteProbeTest, WherePagesAreSmallItSaysNoAndNothingIsLeft) {
  const ScratchDir dir("/tmp");  // No tmpfs, or one without huge pages.
  const Status status = ProbeAt(ProbeHugeWrites, dir.path());
  if (!status) {
    EXPECT_EQ(status.error().code, Code::kUnsupported);
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

}  // namespace
}  // namespace vitrine::machine
