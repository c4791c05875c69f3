#include "store/host/huge_pages.h"

#include <gtest/gtest.h>

namespace vitrine::store {
namespace {

using machine::MountEntry;
using machine::TmpfsHugePolicy;

constexpr TmpfsHugePolicy kAllPolicies[] = {
    TmpfsHugePolicy::kMissing, TmpfsHugePolicy::kDenied,
    TmpfsHugePolicy::kAsMounted, TmpfsHugePolicy::kForced};

MountEntry MountWith(const std::string& super_options) {
  MountEntry entry;
  entry.mount_point = "/there";
  entry.super_options = super_options;
  return entry;
}

TEST(HugePagesTest, OnIsRefusedWithTheReasonWhereThereAreNone) {
  std::string option;
  for (const TmpfsHugePolicy policy :
       {TmpfsHugePolicy::kMissing, TmpfsHugePolicy::kDenied}) {
    EXPECT_EQ(ChooseHugePages(policy, Switch::kOn, &option).error().code,
              Code::kUnsupported);
    EXPECT_EQ(HugePagesOn(MountWith("rw,huge=always"), policy, Switch::kOn)
                  .error()
                  .code,
              Code::kUnsupported);
  }
  const Result<HugePages> there =
      HugePagesOn(MountWith("rw"), TmpfsHugePolicy::kAsMounted, Switch::kOn);
  ASSERT_FALSE(there);
  EXPECT_NE(there.error().message.find("/there"), std::string::npos);
}

TEST(HugePagesTest, OffIsRefusedWhereTheyCannotBeAvoided) {
  std::string option;
  EXPECT_FALSE(
      ChooseHugePages(TmpfsHugePolicy::kForced, Switch::kOff, &option));
  EXPECT_FALSE(HugePagesOn(MountWith("rw,huge=always"),
                           TmpfsHugePolicy::kAsMounted, Switch::kOff));
}

TEST(HugePagesTest, AutoIsNeverRefused) {
  for (const TmpfsHugePolicy policy : kAllPolicies) {
    std::string option;
    EXPECT_TRUE(ChooseHugePages(policy, Switch::kAuto, &option));
    EXPECT_TRUE(HugePagesOn(MountWith("rw"), policy, Switch::kAuto));
    EXPECT_TRUE(
        HugePagesOn(MountWith("rw,huge=advise"), policy, Switch::kAuto));
  }
}

TEST(HugePagesTest, TheMountOptionIsWhatWasChosen) {
  std::string option;
  EXPECT_TRUE(
      ChooseHugePages(TmpfsHugePolicy::kAsMounted, Switch::kOn, &option)->on);
  EXPECT_EQ(option, "huge=within_size");
  EXPECT_FALSE(
      ChooseHugePages(TmpfsHugePolicy::kAsMounted, Switch::kOff, &option)->on);
  EXPECT_EQ(option, "huge=never");
  EXPECT_FALSE(
      ChooseHugePages(TmpfsHugePolicy::kMissing, Switch::kAuto, &option)->on);
  EXPECT_EQ(option, "");
}

}  // namespace
}  // namespace vitrine::store
