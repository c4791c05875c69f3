#include "store/tiers/spill_format.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/store/tiers/bytes.h"
#include "tests/store/tiers/loads.h"

namespace vitrine::store {
namespace {

std::string Flatten(const SpillValue& value) {
  std::string bytes;
  for (const auto& part : value.Parts()) {
    bytes.append(reinterpret_cast<const char*>(part.data()), part.size());
  }
  return bytes;
}

Result<SpillHead> Decode(std::string_view value) {
  if (value.size() < kSpillHeadStartBytes) {
    return DecodeSpillHead(value, value.size());
  }
  const auto size = ReadSpillHeadSize(value.substr(0, kSpillHeadStartBytes));
  if (!size) return size.error();
  if (*size > value.size()) return Error{Code::kCorruption, "cut"};
  return DecodeSpillHead(value.substr(0, *size), value.size());
}

class SpillFormatTest : public ::testing::Test {
 protected:
  std::string Make(uint64_t sequence = 7) {
    auto value = SpillValue::Make(sequence, loads_.loads());
    EXPECT_TRUE(value) << value.error().ToString();
    const std::string bytes = Flatten(*value);
    EXPECT_EQ(bytes.size(), value->head().value_bytes);
    return bytes;
  }
  Loads loads_;
};

TEST_F(SpillFormatTest, AllThatIsKnownComesBack) {
  loads_.Add(11, RandomBytes(100, 1));
  loads_.Add(12, "", {{"name", "value"}, {"empty", ""}});
  loads_.Add(13, RandomBytes(5000, 2), {}, true);
  loads_.Add(14, RandomBytes((5 << 20) / 2, 3));
  loads_.Add(15, "end", {}, true);
  const std::string value = Make();
  const auto head = Decode(value);
  ASSERT_TRUE(head) << head.error().ToString();
  EXPECT_EQ(head->sequence, 7u);
  ASSERT_EQ(head->objects.size(), 5u);
  for (size_t i = 0; i < 5; ++i) {
    const Tier::Load& load = loads_.loads()[i];
    const SpilledObject& spilled = head->objects[i];
    EXPECT_EQ(Describe(spilled.object.info), Describe(load.info));
    EXPECT_EQ(spilled.object.info.in_slab(), load.info.in_slab());
    EXPECT_EQ(MetadataOf(spilled.object.metadata), MetadataOf(load.metadata));
    const auto bytes =
        AsBytes(value).subspan(spilled.offset_bytes, load.info.size_bytes);
    EXPECT_TRUE(std::ranges::equal(bytes, load.bytes)) << i;
    EXPECT_EQ(spilled.hash, HashPayload(load.bytes));
  }
}

TEST_F(SpillFormatTest, LargerPayloadsLieOnPages) {
  loads_.Add(11, RandomBytes(100, 1));
  loads_.Add(12, RandomBytes(4096, 2));
  loads_.Add(13, RandomBytes(4095, 3));
  loads_.Add(14, RandomBytes(100'000, 3));
  const auto head = Decode(Make());
  ASSERT_TRUE(head);
  EXPECT_EQ(head->objects[0].offset_bytes, 4096u);
  EXPECT_EQ(head->objects[1].offset_bytes, 8192u);
  EXPECT_EQ(head->objects[2].offset_bytes, 12288u);
  EXPECT_EQ(head->objects[3].offset_bytes, 16384u);
}

TEST_F(SpillFormatTest, EachMebibyteOfALargePayloadHasAHash) {
  loads_.Add(11, RandomBytes((5 << 20) / 2, 1));
  loads_.Add(12, RandomBytes(1 << 20, 2));
  const auto head = Decode(Make());
  ASSERT_TRUE(head);
  EXPECT_EQ(head->objects[0].block_hashes.size(), 3u);
  EXPECT_TRUE(head->objects[1].block_hashes.empty());
}

TEST_F(SpillFormatTest, NoByteOfAHeadCanChange) {
  loads_.Add(11, "one", {{"name", "value"}});
  loads_.Add(12, RandomBytes((3 << 20) / 2, 2), {}, true);
  const std::string value = Make();
  const auto size = ReadSpillHeadSize(value.substr(0, kSpillHeadStartBytes));
  ASSERT_TRUE(size);
  for (size_t i = 0; i < *size; ++i) {
    for (const int flip : {1, 0x80, 0xff}) {
      std::string damaged = value;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      const auto head = Decode(damaged);
      ASSERT_FALSE(head) << "byte " << i;
      EXPECT_EQ(head.error().code, Code::kCorruption);
    }
  }
}

TEST_F(SpillFormatTest, NoPartOfAValueIsOne) {
  loads_.Add(11, "one");
  loads_.Add(12, "two");
  const std::string value = Make();
  for (size_t size = 0; size < value.size(); ++size) {
    ASSERT_FALSE(Decode(std::string_view(value).substr(0, size))) << size;
  }
  EXPECT_FALSE(Decode(value + "x"));
  EXPECT_TRUE(Decode(value));
}

// Whatever the checksum says.
TEST_F(SpillFormatTest, OneObjectTwiceIsNoValue) {
  loads_.Add(11, "one");
  loads_.Add(11, "one");
  EXPECT_FALSE(Decode(Make()));
}

TEST_F(SpillFormatTest, AValueOfNothingIsNone) {
  EXPECT_FALSE(SpillValue::Make(1, {}));
}

TEST(SpillNameTest, NamesAreThoseOfSequences) {
  for (const uint64_t sequence : {uint64_t{0}, uint64_t{1}, UINT64_MAX}) {
    EXPECT_TRUE(IsExternalName(SpillName(sequence)));
    EXPECT_EQ(SequenceOf(SpillName(sequence)), sequence);
  }
  for (const char* name :
       {"", "spill-", "spill-1", "spill-000000000000000A", "other",
        "spill-00000000000000010", "spill-000000000000001 ", "spill--1"}) {
    EXPECT_FALSE(SequenceOf(name)) << name;
  }
}

}  // namespace
}  // namespace vitrine::store
