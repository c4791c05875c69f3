#include <gtest/gtest.h>
#include <vitrine/metadata.h>

namespace vitrine {
namespace {

Code CodeOf(const Metadata& metadata) {
  const Status status = CheckMetadata(metadata);
  EXPECT_FALSE(status);
  return status ? Code::kIoError : status.error().code;
}

TEST(MetadataTest, BadNamesAreRefused) {
  EXPECT_EQ(CodeOf({{"", "x"}}), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf({{std::string(251, 'n'), ""}}), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf({{std::string("a\0b", 3), ""}}), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf({{"vitrine.state", "x"}}), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf({{"good", "x"}, {"vitrine.", "x"}}), Code::kInvalidArgument);
}

TEST(MetadataTest, NamesAndValuesCountTogether) {
  EXPECT_TRUE(CheckMetadata({{"abcd", std::string(kMaxMetadataBytes - 4, 0)}}));
  EXPECT_EQ(CodeOf({{"abcd", std::string(kMaxMetadataBytes - 3, 0)}}),
            Code::kInvalidArgument);
  EXPECT_EQ(CodeOf({{"a", std::string(kMaxMetadataBytes / 2, 'x')},
                    {"b", std::string(kMaxMetadataBytes / 2, 'x')}}),
            Code::kInvalidArgument);
}

TEST(MetadataTest, AnyBytesAreAValue) {
  EXPECT_TRUE(CheckMetadata({}));
  EXPECT_TRUE(CheckMetadata({{"k", ""}, {"x", std::string("\0\xff/", 3)}}));
  EXPECT_TRUE(CheckMetadata({{"vitrine", ""}, {"a.vitrine.b", ""}}));
  EXPECT_TRUE(CheckMetadata({{std::string(250, 'n'), ""}}));
}

}  // namespace
}  // namespace vitrine
