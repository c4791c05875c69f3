#include "store/metrics/status_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace vitrine::store {
namespace {

constexpr Metric kCount = {"count", MetricUnit::kNone, MetricKind::kCounter,
                           "How many."};
constexpr Metric kName = {"name", MetricUnit::kNone, MetricKind::kInfo,
                          "Which."};
constexpr Metric kRequests = {"requests", MetricUnit::kNone,
                              MetricKind::kCounter, "Of each kind."};

StatusSection Counted(uint64_t count) {
  StatusSection section;
  section.values.push_back({&kCount, count});
  return section;
}

TEST(StatusJsonTest, ValuesPartsListsAndFamiliesHaveTheirPlaces) {
  StatusSection section = Counted(uint64_t{1} << 63);
  section.values.push_back({&kName, std::string("x")});
  section.families.push_back({&kRequests, "kind", {{"get", 2}, {"put", 0}}});
  section.AddPart("inner", Counted(3));
  section.AddList("peers", {Counted(4), Counted(5)});
  EXPECT_EQ(ToJson(section), nlohmann::json::parse(R"({
      "count": 9223372036854775808, "name": "x",
      "requests": {"get": 2, "put": 0}, "inner": {"count": 3},
      "peers": [{"count": 4}, {"count": 5}]})"));
}

TEST(StatusJsonTest, WhatIsEmptyIsThere) {
  StatusSection section;
  EXPECT_EQ(ToJson(section).dump(), "{}");
  section.families.push_back({&kRequests, "kind", {}});
  section.AddPart("inner", {});
  section.AddList("peers", {});
  EXPECT_EQ(ToJson(section).dump(), R"({"inner":{},"peers":[],"requests":{}})");
}

TEST(StatusJsonTest, FlagsAreNoNumbers) {
  StatusSection section;
  section.values.push_back({&kCount, true});
  EXPECT_EQ(ToJson(section).dump(), R"({"count":true})");
}

// dump() throws at anything else.
TEST(StatusJsonTest, EveryTextBecomesValid) {
  StatusSection section;
  section.values.push_back({&kName, std::string("bad \xff name\n")});
  EXPECT_EQ(ToJson(section).dump(), "{\"name\":\"bad \xef\xbf\xbd name\\n\"}");
}

}  // namespace
}  // namespace vitrine::store
