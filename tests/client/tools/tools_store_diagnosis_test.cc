#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "client/tools/store_diagnosis.h"

namespace vitrine::tools {
namespace {

using Json = nlohmann::ordered_json;

std::vector<Finding> Of(const char* status) {
  return DiagnoseStatus(Json::parse(status));
}

bool Says(const Finding& finding, const std::string& part) {
  return finding.detail.find(part) != std::string::npos;
}

TEST(StoreDiagnosisTest, WhatIsWellIsNotTold) {
  EXPECT_TRUE(Of("{}").empty());
  EXPECT_TRUE(Of(R"({"uid": 0, "pressure": {"problem": ""},
                     "abandoned": {"objects": 0}})")
                  .empty());
}

TEST(StoreDiagnosisTest, WhatMakesNoSenseIsNotTold) {
  EXPECT_TRUE(Of(R"({"uid": "x", "pressure": 5, "abandoned": []})").empty());
}

TEST(StoreDiagnosisTest, TheUserOfAnOrdinaryStoreCanChangeObjects) {
  const auto findings = Of(R"({"uid": 54321})");
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].verdict, Verdict::kWarn);
  EXPECT_TRUE(Says(findings[0], "same user, 54321, can change sealed objects"))
      << findings[0].detail;
  EXPECT_NE(findings[0].remedy.find("a user of its own"), std::string::npos);
}

TEST(StoreDiagnosisTest, MemoryThatIsShort) {
  const auto findings = Of(R"({"pressure": {"problem": "memory is short"}})");
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_TRUE(Says(findings[0], "memory is short"));
}

TEST(StoreDiagnosisTest, AbandonedObjectsAreToldWithTheirMaker) {
  const auto findings = Of(R"({"abandoned": {"objects": 11, "bytes": 4096,
      "oldest_id": "x", "oldest_uid": 0, "oldest_pid": 4711,
      "oldest_unused_s": 7200}})");
  ASSERT_EQ(findings.size(), 1u);
  for (const char* part : {"11 unsealed", "'x'", "root", "process 4711"}) {
    EXPECT_TRUE(Says(findings[0], part)) << part << findings[0].detail;
  }
  EXPECT_NE(findings[0].remedy.find("--abandon-after"), std::string::npos);
}

}  // namespace
}  // namespace vitrine::tools
