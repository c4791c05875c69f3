// What the mount says of sizes: of files with holes, and of the whole.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <vector>

#include "tests/system/store_process.h"

namespace vitrine {
namespace {

constexpr off_t kHoleBytes = 8 << 20;
constexpr size_t kPage = 4096;

class ToldSizesTest : public testing::Test {
 protected:
  void SetUp() override {
    VITRINE_REQUIRE(WhyNoMount());
    const Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
  }
  struct statvfs Usage() const {
    struct statvfs usage {};
    EXPECT_EQ(::statvfs(store_.mount().c_str(), &usage), 0);
    return usage;
  }

  StoreProcess store_{{.capacity = "64M", .more = {"--huge-pages", "off"}}};
};

TEST_F(ToldSizesTest, BlocksAreThoseThatAFileHas) {
  const UniqueFd fd(::open(store_.unsealed("holes").c_str(),
                           O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  ASSERT_TRUE(fd.valid());
  const std::vector<char> page(kPage, 'x');
  ASSERT_EQ(::pwrite(fd.get(), page.data(), kPage, kHoleBytes),
            static_cast<ssize_t>(kPage));
  struct stat info {};
  ASSERT_EQ(::stat(store_.unsealed("holes").c_str(), &info), 0);
  EXPECT_EQ(info.st_size, kHoleBytes + static_cast<off_t>(kPage));
  EXPECT_EQ(static_cast<size_t>(info.st_blocks) * 512, kPage);
  ASSERT_EQ(::ftruncate(fd.get(), 0), 0);
  ASSERT_EQ(::stat(store_.unsealed("holes").c_str(), &info), 0);
  EXPECT_EQ(info.st_blocks, 0);
}

TEST_F(ToldSizesTest, ThereAreFreeInodesWhileThereIsMemory) {
  const struct statvfs before = Usage();
  EXPECT_EQ(before.f_ffree, before.f_bfree);  // A page each.
  EXPECT_EQ(before.f_favail, before.f_ffree);
  EXPECT_EQ(before.f_files, before.f_ffree);
  Client client = store_.Connect();
  const std::vector<std::byte> bytes(1 << 20);
  ASSERT_TRUE(client.Put(*ObjectId::FromText("one"), bytes));
  const struct statvfs after = Usage();
  EXPECT_EQ(after.f_files - after.f_ffree, 1U);
  EXPECT_LT(after.f_ffree, before.f_ffree);
  EXPECT_GT(after.f_ffree, 0U);
}

}  // namespace
}  // namespace vitrine
