#include <gtest/gtest.h>

#include <algorithm>

#include "client/tools/diagnosis.h"

namespace vitrine::tools {
namespace {

const Probe kWorks{.works = true, .why_not = ""};
const Probe kFails{.works = false, .why_not = "Operation not permitted"};

// The best machine there is.
MachineFacts Best() {
  MachineFacts facts;
  facts.kernel_release = "6.18.1";
  facts.sys_admin = true;
  facts.fuse_device = kWorks;
  facts.passthrough = true;
  facts.own_tmpfs = kWorks;
  facts.huge_tmpfs = kWorks;
  facts.fusermount = "/usr/bin/fusermount3";
  facts.fusermount_setuid = true;
  facts.user_allow_other = true;
  facts.shm = kWorks;
  facts.shm_page_bytes = 4096;
  facts.shm_limit = {4 << 20, 4 << 20};
  facts.tmpfs_huge = machine::TmpfsHugePolicy::kAsMounted;
  facts.tmpfs_leases = kWorks;
  facts.max_descriptors = 65536;
  facts.max_mappings = 65530;
  facts.memory = {uint64_t{32} << 30, std::nullopt};
  return facts;
}

// The same machine for an ordinary user.
MachineFacts User() {
  MachineFacts facts = Best();
  facts.sys_admin = false;
  facts.passthrough.reset();
  facts.own_tmpfs = kFails;
  facts.huge_tmpfs = kFails;
  facts.shm_collapse = kFails;
  return facts;
}

Finding Find(const MachineFacts& facts, const std::string& check) {
  const auto findings = DiagnoseMachine(facts);
  const auto found =
      std::find_if(findings.begin(), findings.end(),
                   [&](const Finding& f) { return f.check == check; });
  if (found == findings.end()) return {"missing", Verdict::kFail, "", ""};
  return *found;
}

TEST(DiagnosisTest, WithoutAnyTmpfsAStoreCannotWork) {
  MachineFacts facts = User();
  facts.shm = kFails;
  EXPECT_EQ(TierOf(facts), Tier::kNone);
  EXPECT_EQ(Find(facts, "/dev/shm").verdict, Verdict::kFail);
}

TEST(DiagnosisTest, WithoutLeasesAStoreCannotWork) {
  MachineFacts facts = Best();
  facts.tmpfs_leases = kFails;
  EXPECT_EQ(TierOf(facts), Tier::kNone);
  EXPECT_EQ(Find(facts, "leases").verdict, Verdict::kFail);
}

TEST(DiagnosisTest, AUserWithoutFuseHasNoMount) {
  MachineFacts facts = User();
  facts.fuse_device = kFails;
  EXPECT_EQ(TierOf(facts), Tier::kNoMount);
  EXPECT_NE(NextTier(facts).find("/dev/fuse"), std::string::npos);
  EXPECT_EQ(Find(facts, "/dev/fuse").verdict, Verdict::kWarn);
}

TEST(DiagnosisTest, AUserWithoutASetuidFusermountHasNoMount) {
  MachineFacts facts = User();
  facts.fusermount_setuid = false;
  EXPECT_EQ(TierOf(facts), Tier::kNoMount);
  EXPECT_EQ(Find(facts, "fusermount3").verdict, Verdict::kWarn);
  facts.fusermount.clear();
  EXPECT_EQ(TierOf(facts), Tier::kNoMount);
  EXPECT_NE(Find(facts, "fusermount3").remedy, "");
}

TEST(DiagnosisTest, AUserWithFusermountHasAMountAndMayBecomeRoot) {
  EXPECT_EQ(TierOf(User()), Tier::kUserMount);
  EXPECT_NE(NextTier(User()).find("root"), std::string::npos);
  EXPECT_EQ(Find(User(), "passthrough").verdict, Verdict::kWarn);
}

TEST(DiagnosisTest, RootOnAnOldKernelHasAMountWithoutPassthrough) {
  MachineFacts facts = Best();
  facts.kernel_release = "6.1.0-18-amd64";
  facts.passthrough = false;
  EXPECT_EQ(TierOf(facts), Tier::kRootMount);
  EXPECT_NE(NextTier(facts).find("6.9"), std::string::npos);
}

TEST(DiagnosisTest, WhatTheKernelSaysCountsMoreThanItsVersion) {
  MachineFacts facts = Best();
  facts.passthrough = false;
  EXPECT_EQ(TierOf(facts), Tier::kRootMount);
  facts.passthrough.reset();
  EXPECT_EQ(TierOf(facts), Tier::kPassthrough);
}

TEST(DiagnosisTest, TheBestTierHasNoNextAndNothingToWarnOf) {
  EXPECT_EQ(TierOf(Best()), Tier::kPassthrough);
  EXPECT_EQ(NextTier(Best()), "");
  for (const Finding& finding : DiagnoseMachine(Best())) {
    EXPECT_EQ(finding.verdict, Verdict::kOk) << finding.check;
    EXPECT_EQ(finding.remedy, "") << finding.check;
  }
}

TEST(DiagnosisTest, WhateverIsNotOkSaysWhatToDo) {
  MachineFacts nothing;
  nothing.fuse_device = nothing.own_tmpfs = nothing.shm = kFails;
  nothing.hugetlb_leases = kFails;
  MachineFacts no_passthrough = User();
  no_passthrough.hugetlb.pool.pages = 4;
  for (const MachineFacts& facts : {nothing, no_passthrough, User()}) {
    for (const Finding& finding : DiagnoseMachine(facts)) {
      EXPECT_NE(finding.detail, "") << finding.check;
      if (finding.verdict == Verdict::kOk) continue;
      EXPECT_NE(finding.remedy, "") << finding.check;
    }
  }
}

TEST(DiagnosisTest, AContainersLittleShmIsRecognized) {
  MachineFacts facts = User();
  facts.shm_limit = {16 << 10, 16 << 10};
  EXPECT_EQ(Find(facts, "/dev/shm").verdict, Verdict::kWarn);
  EXPECT_NE(Find(facts, "/dev/shm").remedy.find("--shm-size"),
            std::string::npos);
}

TEST(DiagnosisTest, AShmWithoutALimitIsNotALittleOne) {
  MachineFacts facts = User();
  facts.shm_limit.reset();
  EXPECT_EQ(Find(facts, "/dev/shm").verdict, Verdict::kOk);
}

TEST(DiagnosisTest, HugePagesOfAUserDependOnShmsMount) {
  EXPECT_EQ(Find(User(), "huge pages").verdict, Verdict::kWarn);
  MachineFacts facts = User();
  facts.shm_collapse = kWorks;
  EXPECT_EQ(Find(facts, "huge pages").verdict, Verdict::kOk);
  facts.shm_collapse = kFails;
  EXPECT_EQ(Find(facts, "huge pages").verdict, Verdict::kWarn);
  facts.shm_huge = "within_size";
  EXPECT_EQ(Find(facts, "huge pages").verdict, Verdict::kOk);
  facts.tmpfs_huge = machine::TmpfsHugePolicy::kDenied;
  EXPECT_EQ(Find(facts, "huge pages").verdict, Verdict::kWarn);
  facts.tmpfs_huge = machine::TmpfsHugePolicy::kMissing;
  EXPECT_EQ(Find(facts, "huge pages").verdict, Verdict::kWarn);
}

TEST(DiagnosisTest, WithoutProcAStoreDoesNotKnowItsMemory) {
  MachineFacts facts = Best();
  facts.memory.reset();
  EXPECT_EQ(Find(facts, "memory").verdict, Verdict::kFail);
}

TEST(DiagnosisTest, AControlGroupsLimitCounts) {
  MachineFacts facts = Best();
  facts.memory->cgroup_limit_bytes = uint64_t{256} << 20;
  EXPECT_EQ(Find(facts, "memory").verdict, Verdict::kWarn);
}

}  // namespace
}  // namespace vitrine::tools
