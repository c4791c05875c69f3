#include <gtest/gtest.h>
#include <vitrine/object_id.h>

#include <string>
#include <unordered_set>

namespace vitrine {
namespace {

TEST(ObjectIdTest, WhatIsNoFileNameIsRefused) {
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {""sv, "."sv, ".."sv, "a/b"sv, "/"sv, "a\0b"sv, "\0"sv}) {
    Result<ObjectId> id = ObjectId::FromText(text);
    ASSERT_FALSE(id) << text;
    EXPECT_EQ(id.error().code, Code::kInvalidArgument);
  }
}

TEST(ObjectIdTest, AnIdHasAtMost255Bytes) {
  EXPECT_TRUE(ObjectId::FromText(std::string(255, 'a')));
  EXPECT_FALSE(ObjectId::FromText(std::string(256, 'a')));
}

TEST(ObjectIdTest, AnyOtherTextIsAnId) {
  for (const char* text :
       {"a", "...", ".hidden", "with space", "\xff\xfe", "new\nline", "-rf"}) {
    Result<ObjectId> id = ObjectId::FromText(text);
    ASSERT_TRUE(id) << text;
    EXPECT_EQ(id->text(), text);
  }
}

TEST(ObjectIdTest, ABinaryIdIsItsHexName) {
  std::array<std::byte, ObjectId::kBinaryBytes> bytes{};
  bytes.front() = std::byte{0xab};
  bytes.back() = std::byte{0x0f};
  EXPECT_EQ(ObjectId::FromBinary(bytes).text(),
            "ab" + std::string(36, '0') + "0f");
}

TEST(ObjectIdTest, RandomIdsDiffer) {
  std::unordered_set<ObjectId> ids;
  for (int count = 0; count < 1000; ++count) ids.insert(ObjectId::Random());
  EXPECT_EQ(ids.size(), 1000u);
  EXPECT_EQ(ids.begin()->text().size(), 40u);
}

TEST(ObjectIdTest, IdsCompareByTheirText) {
  const ObjectId a = *ObjectId::FromText("a");
  const ObjectId b = *ObjectId::FromText("b");
  EXPECT_LT(a, b);
  EXPECT_EQ(a, *ObjectId::FromText("a"));
  EXPECT_NE(a, b);
}

}  // namespace
}  // namespace vitrine
