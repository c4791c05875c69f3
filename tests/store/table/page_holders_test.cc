#include "store/table/page_holders.h"

#include <gtest/gtest.h>

namespace vitrine::store {
namespace {

constexpr uid_t kUser = 54321;
constexpr uid_t kOther = 54322;

TEST(PageHoldersTest, RootAndTheStoresUserAreTrusted) {
  PageHolders holders;
  holders.Add(kStoreItself);
  EXPECT_FALSE(holders.NeedNewPages(SealCopy::kAlways));
  holders.Add(0);
  holders.Add(::geteuid());
  EXPECT_FALSE(holders.NeedNewPages(SealCopy::kAuto));
  EXPECT_TRUE(holders.NeedNewPages(SealCopy::kAlways));
  EXPECT_TRUE(holders.OnlyTrustedAnd(kUser));
}

TEST(PageHoldersTest, OthersAreNot) {
  PageHolders holders;
  holders.Add(kUser);
  holders.Add(0);
  EXPECT_TRUE(holders.NeedNewPages(SealCopy::kAuto));
  EXPECT_FALSE(holders.NeedNewPages(SealCopy::kNever));
  EXPECT_TRUE(holders.OnlyTrustedAnd(kUser));
  EXPECT_FALSE(holders.OnlyTrustedAnd(kOther));
  holders.Add(kOther);
  EXPECT_FALSE(holders.OnlyTrustedAnd(kUser));
}

}  // namespace
}  // namespace vitrine::store
