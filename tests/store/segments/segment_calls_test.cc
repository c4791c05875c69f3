#include "store/segments/segment_calls.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "schema/base/mapping.h"

namespace vitrine::store {
namespace {

constexpr size_t kBytes = 1 << 20;

class PopulateTest : public testing::Test {
 protected:
  Mapping Map() {
    auto mapping = Mapping::Map(fd_.get(), kBytes, PROT_READ | PROT_WRITE);
    EXPECT_TRUE(mapping);
    return *std::move(mapping);
  }
  static bool IsUnsupported(const Status& status) {
    return !status && status.error().code == Code::kUnsupported;
  }

  const UniqueFd fd_{::memfd_create("segment-calls-test", MFD_CLOEXEC)};
};

TEST_F(PopulateTest, PagesThatCannotBeHadAreAnError) {
  const Mapping mapping = Map();  // The file is empty.
  const Status populated = Populate(mapping.data(), kBytes);
  if (IsUnsupported(populated)) GTEST_SKIP() << populated.error().ToString();
  ASSERT_FALSE(populated);
  EXPECT_EQ(populated.error().code, Code::kOutOfMemory);
}

TEST_F(PopulateTest, NewPagesAreThereAndOldOnesAsTheyWere) {
  ASSERT_EQ(::ftruncate(fd_.get(), kBytes), 0);
  const std::string old(kBytes / 2, 'x');
  ASSERT_EQ(::pwrite(fd_.get(), old.data(), old.size(), 0),
            static_cast<ssize_t>(old.size()));
  const Mapping mapping = Map();
  const Status populated = Populate(mapping.data(), kBytes);
  if (IsUnsupported(populated)) GTEST_SKIP() << populated.error().ToString();
  ASSERT_TRUE(populated) << populated.error().ToString();
  struct stat info {};
  ASSERT_EQ(::fstat(fd_.get(), &info), 0);
  EXPECT_GE(static_cast<size_t>(info.st_blocks) * 512, kBytes);
  const std::string all(reinterpret_cast<const char*>(mapping.data()), kBytes);
  EXPECT_EQ(all, old + std::string(kBytes / 2, '\0'));
}

}  // namespace
}  // namespace vitrine::store
