#include "schema/machine/file_lease.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "schema/base/unique_fd.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::machine {
namespace {

class FileLeaseTest : public testing::Test {
 protected:
  UniqueFd Open(int flags) const {
    return UniqueFd(
        ::open((dir_.path() + "/file").c_str(), flags | O_CLOEXEC, 0600));
  }

  const ScratchDir dir_;
  const UniqueFd own_ = Open(O_RDONLY | O_CREAT);
};

TEST_F(FileLeaseTest, WhatIsNoFileIsAnError) {
  EXPECT_FALSE(TakeLease(-1, F_RDLCK));
}

TEST_F(FileLeaseTest, AUseThatStandsAgainstItIsNoError) {
  UniqueFd other = Open(O_RDWR);
  EXPECT_FALSE(*TakeLease(own_.get(), F_RDLCK));
  other = Open(O_RDONLY);
  EXPECT_TRUE(*TakeLease(own_.get(), F_RDLCK));
  DropLease(own_.get());
  EXPECT_FALSE(*TakeLease(own_.get(), F_WRLCK));
  other = UniqueFd();
  EXPECT_TRUE(*TakeLease(own_.get(), F_WRLCK));
}

// The signal of one that breaks would end this process unless it is ignored.
TEST_F(FileLeaseTest, ALeaseThatBreaksEndsNobody) {
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(*TakeLease(own_.get(), F_WRLCK));
    EXPECT_FALSE(Open(O_RDONLY | O_NONBLOCK).valid());
    DropLease(own_.get());
  }
}

}  // namespace
}  // namespace vitrine::machine
