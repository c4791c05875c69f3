#include "fusefs/kernel/request_counts.h"

#include <iterator>

namespace vitrine::fusefs {
namespace {

constexpr const char* kNames[] = {
    "lookup",     "forget", "getattr",  "setattr",  "readlink",
    "unlink",     "rename", "refused",  "open",     "create",
    "read",       "write",  "flush",    "release",  "fsync",
    "fallocate",  "lseek",  "opendir",  "readdir",  "readdirplus",
    "releasedir", "statfs", "setxattr", "getxattr", "listxattr",
    "removexattr"};
static_assert(std::size(kNames) == static_cast<size_t>(RequestKind::kCount));

constexpr Metric kRequestMetric = {"requests", MetricUnit::kNone,
                                   MetricKind::kCounter,
                                   "Requests that came from the kernel."};

}  // namespace

StatusSection::Family RequestCounts::GetStatus() const {
  StatusSection::Family family{&kRequestMetric, "request", {}};
  for (size_t kind = 0; kind < counts_.size(); ++kind) {
    const uint64_t count = counts_[kind].load(std::memory_order_relaxed);
    if (count > 0) family.numbers.emplace_back(kNames[kind], count);
  }
  return family;
}

}  // namespace vitrine::fusefs
