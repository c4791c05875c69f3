#include <gtest/gtest.h>

#include <cmath>

#include "client/tools/text.h"

namespace vitrine::tools {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

TEST(TextTest, WhatIsNoTimeIsRefused) {
  for (const char* text :
       {"", " ", "s", "-1", "-0", "1x", "1 s", "nan", "inf", "1e3", "5ss"}) {
    auto timeout = ParseTimeout(text);
    ASSERT_FALSE(timeout) << text;
    EXPECT_EQ(timeout.error().code, Code::kInvalidArgument);
  }
}

TEST(TextTest, TimesHaveUnits) {
  EXPECT_EQ(ParseTimeout("5")->count(), 5000);
  EXPECT_EQ(ParseTimeout("0.5")->count(), 500);
  EXPECT_EQ(ParseTimeout("7s")->count(), 7000);
  EXPECT_EQ(ParseTimeout("500ms")->count(), 500);
  EXPECT_EQ(ParseTimeout("2m")->count(), 120000);
  EXPECT_EQ(ParseTimeout("1h")->count(), 3600000);
  EXPECT_EQ(ParseTimeout("0")->count(), 0);
  EXPECT_EQ(*ParseTimeout("never"), kNever);
}

TEST(TextTest, ATimeIsNeverRoundedToAPollAndNeverOverflows) {
  EXPECT_EQ(ParseTimeout("0.0001")->count(), 1);
  EXPECT_GT(ParseTimeout("999999999999999999999999h")->count(),
            int64_t{1000} * 86400 * 365);
}

TEST(TextTest, WhatIsNoModeIsRefused) {
  for (const char* text : {"", "8", "1000", "-1", "0x1", "u+r", "644 "}) {
    EXPECT_FALSE(ParseMode(text)) << text;
  }
  EXPECT_EQ(*ParseMode("644"), 0644u);
  EXPECT_EQ(*ParseMode("0600"), 0600u);
}

TEST(TextTest, ModesAreShownAsLsDoes) {
  EXPECT_EQ(FormatMode(0644), "-rw-r--r--");
  EXPECT_EQ(FormatMode(0751), "-rwxr-x--x");
  EXPECT_EQ(FormatMode(0), "----------");
}

TEST(TextTest, DurationsHaveTwoUnitsAtMost) {
  EXPECT_EQ(FormatSeconds(7.24), "7.2 s");
  EXPECT_EQ(FormatSeconds(125), "2 min 5 s");
  EXPECT_EQ(FormatSeconds(3 * 3600 + 60), "3 h 1 min");
  EXPECT_EQ(FormatSeconds(2 * 86400 + 7200), "2 d 2 h");
}

TEST(TextTest, ADurationWithoutSenseIsShownAllTheSame) {
  EXPECT_EQ(FormatSeconds(1e300), "11574074074 d 1 h");
  EXPECT_NE(FormatSeconds(std::nan("")), "");
}

TEST(TextTest, FewBytesAreNotSaidTwice) {
  EXPECT_EQ(FormatBytes(17), "17 bytes");
  EXPECT_EQ(FormatBytes(4096), "4096 bytes (4.0 KiB)");
}

TEST(TextTest, NoTimeIsADash) { EXPECT_EQ(FormatTime(0), "-"); }

TEST(TextTest, OldTimesHaveAYearAndNewOnesAnHour) {
  const int64_t now = int64_t{1'700'000'000} * kSecond;
  EXPECT_NE(FormatTimeShort(now - 60 * kSecond, now).find(':'),
            std::string::npos);
  const int64_t year = int64_t{366} * 86400 * kSecond;
  EXPECT_EQ(FormatTimeShort(now - year, now).find(':'), std::string::npos);
  EXPECT_EQ(FormatTimeShort(now + kSecond, now).find(':'), std::string::npos);
}

TEST(TextTest, WhatATerminalWouldObeyIsEscaped) {
  EXPECT_EQ(Printable("plain \xc3\xa4"), "plain \xc3\xa4");
  EXPECT_EQ(Printable("a\nb\x1b[2J\x7f"), "a\\x0ab\\x1b[2J\\x7f");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "1m"),
            "\\xc2\\x9b1m");
  EXPECT_EQ(Printable("back\\slash"), "back\\\\slash");
  EXPECT_EQ(Printable("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(Printable(std::string_view("\0", 1)), "\\x00");
}

TEST(TextTest, OnlyUtf8IsUtf8) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"));
  for (const char* bytes :
       {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82"}) {
    EXPECT_FALSE(IsUtf8(bytes)) << Hex(bytes);
  }
}

TEST(TextTest, HexHasTwoDigitsForEachByte) {
  EXPECT_EQ(Hex("\x01\xff"), "01ff");
  EXPECT_EQ(Hex(""), "");
}

}  // namespace
}  // namespace vitrine::tools
