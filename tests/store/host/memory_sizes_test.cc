#include "store/host/memory_sizes.h"

#include <gtest/gtest.h>

namespace vitrine::store {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kPage = 4096;

MemoryLimit Limit(uint64_t bytes) { return {bytes, "the test's memory"}; }

TEST(MemorySizesTest, MoreThanThereIsIsRefusedWithTheNumbers) {
  StoreOptions options;
  options.capacity_bytes = 65 * kMiB;
  const Result<MemorySizes> sizes =
      ChooseSizes(options, Limit(64 * kMiB), kPage);
  ASSERT_FALSE(sizes);
  EXPECT_EQ(sizes.error().code, Code::kTooLarge);
  for (const char* part :
       {"65.0 MiB", "64.0 MiB", "the test's memory", "--capacity"}) {
    EXPECT_NE(sizes.error().message.find(part), std::string::npos) << part;
  }
}

TEST(MemorySizesTest, AnOvershootThatIsAskedForMustBeThere) {
  StoreOptions options;
  options.capacity_bytes = 60 * kMiB;
  options.overshoot_bytes = 5 * kMiB;
  const Result<MemorySizes> sizes =
      ChooseSizes(options, Limit(64 * kMiB), kPage);
  ASSERT_FALSE(sizes);
  EXPECT_EQ(sizes.error().code, Code::kTooLarge);
  EXPECT_NE(sizes.error().message.find("--overshoot"), std::string::npos);
}

TEST(MemorySizesTest, HugeNumbersDoNotWrapAround) {
  StoreOptions options;
  options.capacity_bytes = 60 * kMiB;
  options.overshoot_bytes = UINT64_MAX - kMiB;
  EXPECT_FALSE(ChooseSizes(options, Limit(64 * kMiB), kPage));
  options.capacity_bytes = UINT64_MAX;
  EXPECT_FALSE(ChooseSizes(options, Limit(64 * kMiB), kPage));
}

TEST(MemorySizesTest, LessThanAPageIsRefused) {
  StoreOptions options;
  options.capacity_bytes = kMiB;
  const Result<MemorySizes> sizes =
      ChooseSizes(options, Limit(64 * kMiB), 2 * kMiB);
  ASSERT_FALSE(sizes);
  EXPECT_EQ(sizes.error().code, Code::kInvalidArgument);
  EXPECT_FALSE(ChooseSizes({}, Limit(0), kPage));
}

TEST(MemorySizesTest, TheDefaultOvershootIsWhatIsLeft) {
  StoreOptions options;
  options.capacity_bytes = 62 * kMiB;
  EXPECT_EQ(ChooseSizes(options, Limit(64 * kMiB), kPage)->overshoot_bytes,
            2 * kMiB);
  options.capacity_bytes = 64 * kMiB;
  EXPECT_EQ(ChooseSizes(options, Limit(64 * kMiB), kPage)->overshoot_bytes, 0U);
}

TEST(MemorySizesTest, TheDefaultsAre30PercentAndAnEighthInWholePages) {
  const Result<MemorySizes> sizes = ChooseSizes({}, Limit(100 * kMiB), kPage);
  ASSERT_TRUE(sizes);
  EXPECT_LE(sizes->capacity_bytes, 30 * kMiB);
  EXPECT_GT(sizes->capacity_bytes, 30 * kMiB - 2 * kPage);
  EXPECT_EQ(sizes->capacity_bytes % kPage, 0U);
  EXPECT_EQ(sizes->overshoot_bytes, sizes->capacity_bytes / 8 / kPage * kPage);
}

}  // namespace
}  // namespace vitrine::store
