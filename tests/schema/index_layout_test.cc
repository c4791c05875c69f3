#include "schema/index_layout.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstddef>

#include "schema/client_page.h"

namespace vitrine {
namespace {

// Clients and stores of one version may have been built apart: none of these
// may change without kIndexVersion.
TEST(IndexLayoutTest, OffsetsAreTheContract) {
  EXPECT_EQ(sizeof(IndexHeader), 40u);
  EXPECT_EQ(offsetof(IndexHeader, seed), 16u);
  EXPECT_EQ(offsetof(IndexHeader, buckets_offset), 24u);
  EXPECT_EQ(offsetof(IndexHeader, overflow_limit), 36u);
  EXPECT_EQ(offsetof(IndexBucket, filter), 8u);
  EXPECT_EQ(offsetof(IndexBucket, fingerprints), 12u);
  EXPECT_EQ(offsetof(IndexBucket, slots_and_flags), 16u);
  EXPECT_EQ(offsetof(IndexBucket, words), 32u);
  EXPECT_EQ(offsetof(IndexBucket, entries), 64u);
  EXPECT_EQ(sizeof(IndexEntry), 48u);
  EXPECT_EQ(offsetof(IndexEntry, segment), 16u);
  EXPECT_EQ(offsetof(IndexEntry, number), 40u);
  EXPECT_EQ(offsetof(PageStripe, pins), 64u);
  EXPECT_EQ(offsetof(PageStripe, touches), 64u + 8 * kPinsPerStripe);
  EXPECT_EQ(offsetof(ClientPage, stripes), 64u);
}

TEST(IndexLayoutTest, KeysAreTheContract) {
  const IndexKey key = MakeIndexKey("an object", 42);
  EXPECT_EQ(key, (IndexKey{0x9c67'4949'b9e6'35d3, 0x9754'c8ee'b66e'09fd}));
  EXPECT_NE(key, MakeIndexKey("an object", 43));
  EXPECT_NE(key, MakeIndexKey("an objecT", 42));
}

TEST(IndexLayoutTest, AKeyBelongsToABucketThatThereIs) {
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    EXPECT_LT(IndexBucketOf(MakeIndexKey("x", seed), 8), 8u);
  }
  EXPECT_EQ(IndexBucketOf({1, UINT64_MAX}, 1), 0u);
}

// Linear hashing: of each further bucket, one other gives it a part.
TEST(IndexLayoutTest, ATableGrowsByOneBucketThatIsSplit) {
  for (uint32_t count = 1; count < 40; ++count) {
    const uint32_t split = count - std::bit_floor(count);
    for (uint64_t low = 0; low < 1000; ++low) {
      const uint32_t before = IndexBucketOf({0, low}, count);
      const uint32_t after = IndexBucketOf({0, low}, count + 1);
      if (after != before) {
        EXPECT_EQ(before, split);
        EXPECT_EQ(after, count);
      }
    }
  }
}

TEST(IndexLayoutTest, AWordKeepsGenerationAndState) {
  const uint64_t word = MakeSlotWord(0x1234'5678'9abc, SlotState::kEvicting);
  EXPECT_EQ(SlotGeneration(word), 0x1234'5678'9abcu);
  EXPECT_EQ(SlotStateOf(word), SlotState::kEvicting);
  EXPECT_EQ(SlotStateOf(0), SlotState::kFree) << "fresh memory is a free slot";
}

TEST(IndexLayoutTest, ASlotIsBesideItsFlags) {
  const uint32_t both = MakeSlotAndFlags(0xab'cdef, 0x12);
  EXPECT_EQ(both, 0xabcd'ef12u);
  EXPECT_EQ(SlotOf(both), 0xab'cdefu);
  EXPECT_EQ(FlagsOf(both), 0x12u);
}

// Clients and stores agree on the bits, as on the key.
TEST(IndexLayoutTest, AFilterHasTwoBitsOfAKey) {
  EXPECT_EQ(FilterBitsOf({0, uint64_t{0x3e5} << 32}), 1u << 5 | 1u << 31);
  EXPECT_EQ(FilterBitsOf({0, 0}), 1u) << "the same bit twice";
  EXPECT_EQ(FilterBitsOf({UINT64_MAX, UINT32_MAX}), 1u) << "no others";
}

TEST(IndexLayoutTest, AFilterKeepsOutWhatLacksABit) {
  const IndexKey key{0, uint64_t{0x3e5} << 32};
  EXPECT_FALSE(MayBeBeyond(0, key));
  EXPECT_FALSE(MayBeBeyond(1u << 5, key));
  EXPECT_FALSE(MayBeBeyond(~(1u << 5), key));
  EXPECT_TRUE(MayBeBeyond(1u << 5 | 1u << 31, key));
  EXPECT_TRUE(MayBeBeyond(UINT32_MAX, key));
}

TEST(IndexLayoutTest, NoPinIsZero) {
  EXPECT_NE(MakePin(0, 0), 0u);
  EXPECT_NE(MakePin(kNoSlot - 1, 0), 0u);
  EXPECT_NE(MakePin(1, 2), MakePin(2, 1));
  EXPECT_EQ(MakePin(3, 1), MakePin(3, (uint64_t{1} << 32) + 1));
}

TEST(IndexLayoutTest, SegmentNamesHaveSixteenDigits) {
  char name[kSegmentNameChars + 1];
  WriteSegmentName(0x12ab, name);
  EXPECT_STREQ(name, "00000000000012ab");
  WriteSegmentName(UINT64_MAX, name);
  EXPECT_STREQ(name, "ffffffffffffffff");
  WriteSegmentName(0, name);
  EXPECT_STREQ(name, "0000000000000000");
}

}  // namespace
}  // namespace vitrine
