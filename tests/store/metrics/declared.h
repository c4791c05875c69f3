// Holds the JSON of `status` against what is declared.
#ifndef VITRINE_TESTS_STORE_METRICS_DECLARED_H_
#define VITRINE_TESTS_STORE_METRICS_DECLARED_H_

#include <gtest/gtest.h>

#include <cctype>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <string_view>

#include "store/metrics/status_section.h"

namespace vitrine::store {

// By place in the JSON; '*' stands for any key: "/clients/*/pins".
using Declared = std::map<std::string, const Metric*>;

inline void Declare(const std::string& place, const Metric* metric,
                    Declared* declared) {
  const auto [it, is_new] = declared->emplace(place, metric);
  EXPECT_TRUE(is_new || it->second == metric) << place << " twice";
}

inline void Collect(const StatusSection& section, const std::string& place,
                    Declared* declared) {
  const auto in = [&place](std::string_view name) {
    return place + "/" + std::string(name);
  };
  for (const auto& [metric, value] : section.values) {
    Declare(in(metric->name), metric, declared);
  }
  for (const StatusSection::Family& family : section.families) {
    EXPECT_FALSE(family.label.empty());
    Declare(in(family.metric->name) + "/*", family.metric, declared);
  }
  for (const auto& [name, part] : section.parts) {
    Collect(part, in(name), declared);
  }
  for (const auto& [name, sections] : section.lists) {
    for (const StatusSection& each : sections) {
      Collect(each, in(name) + "/*", declared);
    }
  }
}

// Null: nobody has declared it.
inline const Metric* Find(const Declared& declared, const std::string& place) {
  static const std::regex kIndex("/[0-9]+/");
  static const std::regex kLastKey("/[^/]*$");
  const std::string general = std::regex_replace(place, kIndex, "/*/");
  for (const std::string& key :
       {general, std::regex_replace(general, kLastKey, "/*")}) {
    const auto found = declared.find(key);
    if (found != declared.end()) return found->second;
  }
  return nullptr;
}

// Each unit has names that end as the JSON has always had them.
inline void CheckUnit(const Metric& metric) {
  EXPECT_EQ(metric.name.ends_with("bytes"), metric.unit == MetricUnit::kBytes)
      << metric.name;
  EXPECT_EQ(metric.name.ends_with("_s"), metric.unit == MetricUnit::kSeconds)
      << metric.name;
  EXPECT_EQ(metric.name.ends_with("_ms"),
            metric.unit == MetricUnit::kMilliseconds)
      << metric.name;
  EXPECT_LE(metric.unit, MetricUnit::kMilliseconds);
}

inline void CheckMetric(const Metric& metric) {
  CheckUnit(metric);
  EXPECT_LE(metric.kind, MetricKind::kInfo);
  ASSERT_FALSE(metric.help.empty()) << metric.name;
  EXPECT_TRUE(std::isupper(metric.help.front())) << metric.help;
  EXPECT_EQ(metric.help.find('.'), metric.help.size() - 1) << metric.help;
}

// As Prometheus wants it; every one of its own.
inline std::string PrometheusName(const std::string& place) {
  static const std::regex kBetween("(/\\*)*/");
  return "vitrine" +
         std::regex_replace(std::regex_replace(place, std::regex("/\\*$"), ""),
                            kBetween, "_");
}

inline void CheckNames(const Declared& declared) {
  static const std::regex kValid("[a-z][a-z0-9_]*");
  std::map<std::string, std::string> places;
  for (const auto& [place, metric] : declared) {
    const std::string name = PrometheusName(place);
    EXPECT_TRUE(std::regex_match(name, kValid)) << name;
    const auto [it, is_new] = places.emplace(name, place);
    EXPECT_TRUE(is_new) << name << " is " << it->second << " and " << place;
  }
}

// `status` has exactly what `section`, its source at any time, declares.
inline void ExpectDeclared(const nlohmann::json& status,
                           const StatusSection& section) {
  Declared declared;
  Collect(section, "", &declared);
  for (const auto& [place, metric] : declared) CheckMetric(*metric);
  CheckNames(declared);
  const nlohmann::json flat = status.flatten();
  for (const auto& [place, value] : flat.items()) {
    // An empty list or object.
    if (value.is_null()) continue;
    const Metric* const metric = Find(declared, place);
    EXPECT_NE(metric, nullptr) << place << " is not declared";
    if (metric == nullptr || !value.is_string()) continue;
    EXPECT_EQ(metric->kind, MetricKind::kInfo) << place;
  }
}

}  // namespace vitrine::store

#endif  // VITRINE_TESTS_STORE_METRICS_DECLARED_H_
