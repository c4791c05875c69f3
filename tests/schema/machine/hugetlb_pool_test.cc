#include "schema/machine/hugetlb_pool.h"

#include <gtest/gtest.h>

#include "tests/schema/machine/fake_root.h"

namespace vitrine::machine {
namespace {

constexpr uint64_t kMiB = 1 << 20;

TEST(HugetlbPoolTest, WithoutHugePagesItIsEmpty) {
  const FakeRoot root;
  EXPECT_EQ(ReadHugetlbPool(2 * kMiB, root.path()).pages, 0U);
  EXPECT_EQ(DefaultHugePageBytes(root.path()), std::nullopt);
}

TEST(HugetlbPoolTest, ThePagesThatMayBeMadeAreCounted) {
  const FakeRoot root;
  const std::string pool = "sys/kernel/mm/hugepages/hugepages-2048kB/";
  root.Write(pool + "nr_hugepages", "8\n");
  root.Write(pool + "nr_overcommit_hugepages", "2\n");
  root.Write(pool + "free_hugepages", "5\n");
  root.Write(pool + "resv_hugepages", "3\n");
  const HugetlbPool read = ReadHugetlbPool(2 * kMiB, root.path());
  EXPECT_EQ(read.pages, 10U);
  EXPECT_EQ(read.free_pages, 4U);
  EXPECT_EQ(read.pages_file, root.path() + "/" + pool + "nr_hugepages");
  // What was overcommitted already.
  root.Write(pool + "surplus_hugepages", "1\n");
  EXPECT_EQ(ReadHugetlbPool(2 * kMiB, root.path()).pages, 9U);
  EXPECT_EQ(ReadHugetlbPool(2 * kMiB, root.path()).free_pages, 3U);
}

TEST(HugetlbPoolTest, TheDefaultSizeIsTheMachines) {
  const FakeRoot root;
  root.Write("proc/meminfo", "MemTotal: 1 kB\nHugepagesize:    2048 kB\n");
  EXPECT_EQ(DefaultHugePageBytes(root.path()), 2 * kMiB);
}

}  // namespace
}  // namespace vitrine::machine
