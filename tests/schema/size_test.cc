#include "schema/base/size.h"

#include <gtest/gtest.h>

namespace vitrine {
namespace {

uint64_t Parsed(std::string_view text) {
  const Result<uint64_t> size = ParseSize(text);
  EXPECT_TRUE(size) << text;
  return size ? *size : 0;
}

TEST(SizeTest, GarbageIsRefused) {
  for (const char* text :
       {"",    " ",   "G",     "-1",    "+1",   "1x",  "1.5.5",
        "1.",  ".5",  "1 G 2", "0x10",  "1e9",  "8GG", "8Gx",
        "8iB", "nan", "inf",   "12 34", "1,5G", "8G\n"}) {
    EXPECT_EQ(ParseSize(text).error().code, Code::kInvalidArgument) << text;
  }
}

TEST(SizeTest, MoreThan64BitsIsRefused) {
  for (const char* text : {"18446744073709551616", "16E", "16777216T",
                           "99999999999999999999999G"}) {
    EXPECT_EQ(ParseSize(text).error().code, Code::kInvalidArgument) << text;
  }
  EXPECT_EQ(Parsed("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(Parsed("15E"), uint64_t{15} << 60);
}

TEST(SizeTest, ManyNinesBehindThePointStayBelowTheNextUnit) {
  EXPECT_LE(Parsed("15.9999999999999999999999999999E"), UINT64_MAX);
}

TEST(SizeTest, AnErrorNamesWhatWasWritten) {
  EXPECT_NE(ParseSize("8Q").error().message.find("'8Q'"), std::string::npos);
}

TEST(SizeTest, PlainNumbersAreBytes) {
  EXPECT_EQ(Parsed("0"), 0U);
  EXPECT_EQ(Parsed("4096"), 4096U);
  EXPECT_EQ(Parsed("17b"), 17U);
  EXPECT_EQ(Parsed("17 bytes"), 17U);
}

TEST(SizeTest, UnitsArePowersOf1024InEitherCase) {
  EXPECT_EQ(Parsed("1K"), 1024U);
  EXPECT_EQ(Parsed("512m"), 512U << 20);
  EXPECT_EQ(Parsed("8G"), uint64_t{8} << 30);
  EXPECT_EQ(Parsed("8GB"), uint64_t{8} << 30);
  EXPECT_EQ(Parsed("8 GiB"), uint64_t{8} << 30);
  EXPECT_EQ(Parsed("2T"), uint64_t{2} << 40);
}

TEST(SizeTest, FractionsAreExactWhereTheyCanBe) {
  EXPECT_EQ(Parsed("1.5G"), uint64_t{3} << 29);
  EXPECT_EQ(Parsed("0.25K"), 256U);
  EXPECT_EQ(Parsed("1.9"), 1U);
}

TEST(SizeTest, SizesAreWrittenWithOneDecimal) {
  EXPECT_EQ(FormatSize(0), "0 bytes");
  EXPECT_EQ(FormatSize(1023), "1023 bytes");
  EXPECT_EQ(FormatSize(1024), "1.0 KiB");
  EXPECT_EQ(FormatSize(uint64_t{8} << 30), "8.0 GiB");
  EXPECT_EQ(FormatSize((uint64_t{1} << 30) - 1), "1.0 GiB");
  EXPECT_EQ(FormatSize(UINT64_MAX), "16.0 EiB");
}

}  // namespace
}  // namespace vitrine
