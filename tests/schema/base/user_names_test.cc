#include "schema/base/user_names.h"

#include <gtest/gtest.h>

namespace vitrine {
namespace {

TEST(UserNamesTest, NamesAndNumbersAreFound) {
  EXPECT_EQ(*FindUser("root"), 0U);
  EXPECT_EQ(*FindGroup("root"), 0U);
  EXPECT_EQ(*FindUser("54321"), 54321U);
  EXPECT_EQ(*FindGroup("54321"), 54321U);
}

TEST(UserNamesTest, OthersAreNot) {
  for (const char* text : {"", "no such user", "-1", "0x1", "4294967295"}) {
    EXPECT_EQ(FindUser(text).error().code, Code::kNotFound) << text;
    EXPECT_EQ(FindGroup(text).error().code, Code::kNotFound) << text;
  }
}

}  // namespace
}  // namespace vitrine
