#ifndef VITRINE_STORE_METRICS_STATUS_SECTION_H_
#define VITRINE_STORE_METRICS_STATUS_SECTION_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/metrics/metric.h"

namespace vitrine::store {

// A part of `status` at one moment: values with their declarations, which are
// constants of the program, and parts of its own.
struct StatusSection {
  struct Value {
    const Metric* metric;
    MetricValue value;
  };
  // One counter or gauge for each of several names.
  struct Family {
    const Metric* metric;
    std::string_view label;  // What the names are names of.
    std::vector<std::pair<std::string_view, uint64_t>> numbers;
  };
  struct Part;
  struct List;

  std::vector<Value> values;
  std::vector<Family> families;
  std::vector<Part> parts;
  std::vector<List> lists;

  template <typename Snapshot, size_t kCount>
  void Add(const MetricOf<Snapshot> (&declared)[kCount],
           const Snapshot& snapshot) {
    for (const MetricOf<Snapshot>& each : declared) {
      values.push_back({&each.metric, each.read(snapshot)});
    }
  }
  void AddPart(std::string name, StatusSection section);
  void AddList(std::string name, std::vector<StatusSection> sections);
};

struct StatusSection::Part {
  std::string name;
  StatusSection section;
};

// Sections with the same metrics, told apart by those of kind kInfo.
struct StatusSection::List {
  std::string name;
  std::vector<StatusSection> sections;
};

template <typename Snapshot, size_t kCount>
StatusSection MakeSection(const MetricOf<Snapshot> (&declared)[kCount],
                          const Snapshot& snapshot) {
  StatusSection section;
  section.Add(declared, snapshot);
  return section;
}

}  // namespace vitrine::store

#endif  // VITRINE_STORE_METRICS_STATUS_SECTION_H_
