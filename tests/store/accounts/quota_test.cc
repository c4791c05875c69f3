#include "store/accounts/quota.h"

#include <gtest/gtest.h>

#include <string>

namespace vitrine::store {
namespace {

using Limit = std::pair<Resource, uint64_t>;

TEST(QuotaTest, NamesAPartyAndItsLimits) {
  const auto quota = ParseQuota("user:1000:memory=1.5G,unsealed=20,holds=none");
  ASSERT_TRUE(quota) << quota.error().ToString();
  EXPECT_EQ(quota->kind, Party::Kind::kUser);
  EXPECT_EQ(quota->id, 1000U);
  const std::vector<Limit> limits = {{Resource::kMemory, 3ULL << 29},
                                     {Resource::kUnsealed, 20},
                                     {Resource::kHolds, kUnlimited}};
  EXPECT_EQ(quota->limits, limits);
}

TEST(QuotaTest, KnowsNamesAndEverybody) {
  EXPECT_EQ(ParseQuota("user:root:objects=1")->id, 0U);
  EXPECT_EQ(ParseQuota("group:root:objects=1")->id, 0U);
  const auto all = ParseQuota("group:*:connections=1");
  ASSERT_TRUE(all);
  EXPECT_EQ(all->kind, Party::Kind::kGroup);
  EXPECT_FALSE(all->id);
}

TEST(QuotaTest, EachResourceHasAWord) {
  for (size_t i = 0; i < kResources; ++i) {
    const auto quota =
        ParseQuota(std::string("user:1:") + kResourceNames[i] + "=7");
    ASSERT_TRUE(quota) << kResourceNames[i];
    EXPECT_EQ(quota->limits[0], Limit(static_cast<Resource>(i), 7));
  }
}

class BadQuotaTest : public testing::TestWithParam<const char*> {};

TEST_P(BadQuotaTest, IsRefusedWithItsText) {
  const auto quota = ParseQuota(GetParam());
  ASSERT_FALSE(quota);
  EXPECT_NE(quota.error().message.find(GetParam()), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    All, BadQuotaTest,
    testing::Values(
        "", ":", "::", "user", "user:1000", "user:1000:", "user:1000:memory",
        "user:1000:memory=", "user:1000:memory=-1", "user:1000:objects=1K",
        "user:1000:objects=1,", "user:1000:objects=99999999999999999999",
        "user:1000:bananas=1", "users:1000:objects=1", "user::objects=1",
        "user:nobody-has-this-name:objects=1",
        "group:nobody-has-this-name:objects=1", "user:4294967295:objects=1",
        "user:-1:objects=1", "user:1000:objects =1", " user:1000:objects=1"));

TEST(QuotaTest, AnUnknownNameIsNotFound) {
  EXPECT_EQ(ParseQuota("user:nobody-has-this-name:objects=1").error().code,
            Code::kNotFound);
}

}  // namespace
}  // namespace vitrine::store
