#include "store/tiers/external_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace vitrine::store {
namespace {

TEST(ExternalStoreTest, WhatIsUnknownIsNamedWithWhatIsKnown) {
  for (const char* url : {"nosuch:///a", "file", "", "file:/a", "://"}) {
    const auto handle = ExternalStore::Connect(url);
    ASSERT_FALSE(handle) << url;
    EXPECT_EQ(handle.error().code, Code::kInvalidArgument);
    EXPECT_NE(handle.error().message.find("file"), std::string::npos);
  }
}

TEST(ExternalStoreTest, FileIsBuiltIn) {
  const auto schemes = ExternalStore::Schemes();
  EXPECT_TRUE(std::count(schemes.begin(), schemes.end(), "file"));
}

TEST(ExternalStoreTest, AStaticObjectRegistersAScheme) {
  static const ExternalStore::Scheme kNone(
      "none",
      [](std::string_view url) -> Result<std::unique_ptr<ExternalStoreHandle>> {
        return Error{Code::kUnavailable, std::string(url)};
      });
  const auto handle = ExternalStore::Connect("none://somewhere");
  ASSERT_FALSE(handle);
  EXPECT_EQ(handle.error().message, "none://somewhere");
}

TEST(ExternalStoreTest, NamesAreHarmless) {
  for (const char* name : {"a", "spill-0123", "A.b_C-9", "a.."}) {
    EXPECT_TRUE(IsExternalName(name)) << name;
  }
  for (const char* name :
       {"", ".", "..", ".new-1", "a/b", "/a", "a b", "\xc3\xa4", "a\n", "*"}) {
    EXPECT_FALSE(IsExternalName(name)) << name;
  }
  EXPECT_FALSE(IsExternalName(std::string_view("a\0b", 3)));
  EXPECT_TRUE(IsExternalName(std::string(200, 'a')));
  EXPECT_FALSE(IsExternalName(std::string(201, 'a')));
}

}  // namespace
}  // namespace vitrine::store
