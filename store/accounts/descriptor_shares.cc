#include "store/accounts/descriptor_shares.h"

#include <sys/resource.h>

#include <algorithm>
#include <string>

namespace vitrine::store {
namespace {

constexpr uint64_t kMostDescriptors = 1'000'000;
// What is assumed if the kernel does not tell: its own default.
constexpr uint64_t kUsualDescriptors = 1024;
// For the store itself: a part of all, within these bounds.
constexpr uint64_t kOwnPart = 8;
constexpr uint64_t kLeastOwn = 160;
constexpr uint64_t kMostOwn = 2048;
constexpr uint64_t kDescriptorsPerConnection = 2;
// For root and the store's user: a part of each share.
constexpr uint64_t kReservedPart = 8;
constexpr uint64_t kWaitersOfAUser = 100'000;

Share MakeShare(uint64_t total, const std::string& bound_by) {
  return {.total = total,
          .reserved = (total + kReservedPart - 1) / kReservedPart,
          .bound_by = bound_by};
}

}  // namespace

DescriptorShares ShareDescriptors(uint64_t limit) {
  const uint64_t all = std::min(limit, kMostDescriptors);
  const uint64_t own = std::clamp(all / kOwnPart, kLeastOwn, kMostOwn);
  const uint64_t half = all > own ? (all - own) / 2 : 0;
  const std::string bound_by =
      "; the limit of its descriptors is " + std::to_string(all);
  return {.connections = MakeShare(half / kDescriptorsPerConnection, bound_by),
          .files = MakeShare(half, bound_by)};
}

DescriptorShares ShareDescriptors() {
  rlimit limit = {};
  const bool told = ::getrlimit(RLIMIT_NOFILE, &limit) == 0;
  return ShareDescriptors(told ? uint64_t{limit.rlim_cur} : kUsualDescriptors);
}

Quota DefaultUserQuota(const DescriptorShares& shares) {
  return {.kind = Party::Kind::kUser,
          .id = {},
          .limits = {{Resource::kConnections, shares.connections.total / 2},
                     {Resource::kDescriptors, shares.files.total / 2},
                     {Resource::kWaiters, kWaitersOfAUser}}};
}

}  // namespace vitrine::store
