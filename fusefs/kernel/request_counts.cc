#include "fusefs/kernel/request_counts.h"

#include <nlohmann/json.hpp>

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

}  // namespace

nlohmann::json RequestCounts::ToJson() const {
  nlohmann::json json = nlohmann::json::object();
  for (size_t kind = 0; kind < counts_.size(); ++kind) {
    const uint64_t count = counts_[kind].load(std::memory_order_relaxed);
    if (count > 0) json[kNames[kind]] = count;
  }
  return json;
}

}  // namespace vitrine::fusefs
