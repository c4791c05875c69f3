#include "schema/machine/huge_write_probe.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "schema/base/unique_fd.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::machine {
namespace {

Status ProbeAt(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  return ProbeHugeWrites(fd.get());
}

TEST(HugeWriteProbeTest, WhereNoFileCanBeMadeItSaysWhy) {
  for (const Status& status : {ProbeHugeWrites(-1), ProbeAt("/proc")}) {
    ASSERT_FALSE(status);
    EXPECT_NE(status.error().message, "");
  }
}

TEST(HugeWriteProbeTest, WherePagesAreSmallItSaysNoAndNothingIsLeft) {
  const ScratchDir dir("/tmp");  // No tmpfs, or one without huge pages.
  const Status status = ProbeAt(dir.path());
  if (!status) {
    EXPECT_EQ(status.error().code, Code::kUnsupported);
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

}  // namespace
}  // namespace vitrine::machine
