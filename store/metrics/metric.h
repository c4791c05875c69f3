// The declarations of the values of `status`.  Each number, flag and text has
// one, next to the code that knows the value.  The JSON and all other forms are
// made from the declarations.
#ifndef VITRINE_STORE_METRICS_METRIC_H_
#define VITRINE_STORE_METRICS_METRIC_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace vitrine::store {

enum class MetricKind : uint8_t {
  kCounter,    // Only grows as long as the store runs.
  kGauge,      // May go up and down; or a flag.
  kHistogram,  // Counts by size.  Nothing measures one yet.
  kInfo,       // Tells which it is, not how much: a text or a number.
};

enum class MetricUnit : uint8_t { kNone, kBytes, kSeconds, kMilliseconds };

struct Metric {
  // The key in the JSON: small letters, digits and '_'.  The names of its
  // sections and this one make a valid name for Prometheus.
  std::string_view name;
  MetricUnit unit;
  MetricKind kind;
  std::string_view help;  // A sentence.
};

using MetricValue = std::variant<uint64_t, bool, std::string>;

// A metric of a `Snapshot`, a structure that was filled at one moment.
template <typename Snapshot>
struct MetricOf {
  Metric metric;
  MetricValue (*read)(const Snapshot&);
};

namespace metric_internal {

template <typename Read>
struct SnapshotOf;
template <typename Snapshot, typename Value>
struct SnapshotOf<Value Snapshot::*> {
  using Type = Snapshot;
};
template <typename Snapshot, typename Value>
struct SnapshotOf<Value (*)(const Snapshot&)> {
  using Type = Snapshot;
};

template <typename Value>
MetricValue ToMetricValue(const Value& value) {
  if constexpr (std::is_same_v<Value, bool> ||
                std::is_same_v<Value, std::string>) {
    return value;
  } else {
    return static_cast<uint64_t>(value);
  }
}

template <auto kRead>
constexpr auto Declare(const Metric& metric) {
  using Snapshot = typename SnapshotOf<decltype(kRead)>::Type;
  return MetricOf<Snapshot>{
      metric, [](const Snapshot& snapshot) {
        return ToMetricValue(std::invoke(kRead, snapshot));
      }};
}

}  // namespace metric_internal

// `kRead` is a member of the snapshot, or a function of it.
template <auto kRead>
constexpr auto Counter(std::string_view name, std::string_view help,
                       MetricUnit unit = MetricUnit::kNone) {
  return metric_internal::Declare<kRead>(
      {name, unit, MetricKind::kCounter, help});
}

template <auto kRead>
constexpr auto Gauge(std::string_view name, std::string_view help,
                     MetricUnit unit = MetricUnit::kNone) {
  return metric_internal::Declare<kRead>(
      {name, unit, MetricKind::kGauge, help});
}

template <auto kRead>
constexpr auto Info(std::string_view name, std::string_view help) {
  return metric_internal::Declare<kRead>(
      {name, MetricUnit::kNone, MetricKind::kInfo, help});
}

}  // namespace vitrine::store

#endif  // VITRINE_STORE_METRICS_METRIC_H_
