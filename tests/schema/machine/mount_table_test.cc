#include "schema/machine/mount_table.h"

#include <gtest/gtest.h>

namespace vitrine::machine {
namespace {

TEST(MountTableTest, LinesWithoutSenseAreLeftOut) {
  EXPECT_TRUE(ParseMountInfo("").empty());
  EXPECT_TRUE(ParseMountInfo("garbage\n\n36 35 98:0 / /mnt\n").empty());
  EXPECT_TRUE(ParseMountInfo("36 35 98:0 / /mnt rw shared:1 tmpfs\n").empty());
}

TEST(MountTableTest, OptionalFieldsMayBeMissingOrMany) {
  const std::vector<MountEntry> entries = ParseMountInfo(
      "36 35 0:50 / /one rw,nosuid - tmpfs vitrine rw,size=4k\n"
      "37 35 0:51 / /two rw shared:1 master:2 - fuse.x x rw\n");
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].mount_point, "/one");
  EXPECT_EQ(entries[0].type, "tmpfs");
  EXPECT_EQ(entries[0].source, "vitrine");
  EXPECT_EQ(entries[0].options, "rw,nosuid");
  EXPECT_EQ(entries[0].device, "0:50");
  EXPECT_EQ(entries[1].type, "fuse.x");
}

TEST(MountTableTest, EscapedNamesAreReadAsTheyAre) {
  const std::vector<MountEntry> entries =
      ParseMountInfo("36 35 0:50 / /a\\040b\\134c\\011d\\0 rw - tmpfs t rw\n");
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].mount_point, "/a b\\c\td\\0");
}

// mount(2) takes any source, and an empty one leaves two blanks.
TEST(MountTableTest, AMountWithoutASourceIsThere) {
  const std::vector<MountEntry> entries =
      ParseMountInfo("42 27 0:39 / /m rw,relatime - tmpfs  rw,size=1024k\n");
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].mount_point, "/m");
  EXPECT_EQ(entries[0].source, "");
  EXPECT_EQ(entries[0].SuperOption("size"), "1024k");
}

TEST(MountTableTest, OptionsOfTheFileSystemAreFoundByName) {
  MountEntry entry;
  entry.super_options = "rw,size=4k,huge=within_size,noswap";
  EXPECT_EQ(entry.SuperOption("huge"), "within_size");
  EXPECT_EQ(entry.SuperOption("noswap"), "");
  EXPECT_EQ(entry.SuperOption("hug"), std::nullopt);
}

TEST(MountTableTest, TheMountOfAFileIsFound) {
  const Result<std::optional<MountEntry>> proc = FindMountOf("/proc/self/stat");
  ASSERT_TRUE(proc);
  ASSERT_TRUE(proc->has_value());
  EXPECT_EQ((*proc)->type, "proc");
  EXPECT_FALSE(FindMountOf("/no/such/file"));
  const Result<std::optional<MountEntry>> none = FindMount("/no/such/mount");
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->has_value());
}

}  // namespace
}  // namespace vitrine::machine
