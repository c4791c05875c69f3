#include "schema/machine/memory_file_system.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "schema/base/unique_fd.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::machine {
namespace {

TEST(MemoryFileSystemTest, AMissingFileIsAnErrorThatNamesIt) {
  const Result<MemoryFileSystem> none = FileSystemOf("/no/such/file");
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("/no/such/file"), std::string::npos);
  EXPECT_FALSE(FileSystemOf(-1, "/a/path"));
}

TEST(MemoryFileSystemTest, WhatHoldsNoMemoryIsSomethingElse) {
  const Result<MemoryFileSystem> proc = FileSystemOf("/proc");
  ASSERT_TRUE(proc);
  EXPECT_EQ(proc->kind, MemoryFileSystem::Kind::kOther);
}

TEST(MemoryFileSystemTest, ATmpfsHasTheLimitOfItsMount) {
  const ScratchMount mount("tmpfs", "size=64k");
  if (!mount.mounted()) GTEST_SKIP() << "mounting is not permitted";
  const Result<MemoryFileSystem> found = FileSystemOf(mount.path());
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->is_tmpfs());
  ASSERT_TRUE(found->limit);
  EXPECT_EQ(found->limit->pages * found->page_bytes, 64U << 10);
  EXPECT_EQ(found->limit->free_pages, found->limit->pages);
}

TEST(MemoryFileSystemTest, ATmpfsMayHaveNoLimit) {
  const ScratchMount mount("tmpfs", "size=0");
  if (!mount.mounted()) GTEST_SKIP() << "mounting is not permitted";
  const UniqueFd fd(::open(mount.path().c_str(), O_PATH | O_CLOEXEC));
  const Result<MemoryFileSystem> found = FileSystemOf(fd.get(), mount.path());
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->is_tmpfs());
  EXPECT_FALSE(found->limit);
}

TEST(MemoryFileSystemTest, AHugetlbfsHasHugePages) {
  const ScratchMount limited("hugetlbfs", "pagesize=2M,size=8M");
  const ScratchMount unlimited("hugetlbfs", "pagesize=2M");
  if (!limited.mounted() || !unlimited.mounted()) {
    GTEST_SKIP() << "no hugetlbfs to be had";
  }
  const Result<MemoryFileSystem> found = FileSystemOf(limited.path());
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->is_hugetlbfs());
  EXPECT_EQ(found->page_bytes, 2U << 20);
  ASSERT_TRUE(found->limit);
  EXPECT_EQ(found->limit->pages, 4U);
  EXPECT_FALSE(FileSystemOf(unlimited.path())->limit);
}

}  // namespace
}  // namespace vitrine::machine
