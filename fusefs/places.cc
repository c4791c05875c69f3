#include "fusefs/places.h"

#include <string>
#include <vector>

#include "fusefs/kernel/enclosing_mount.h"

namespace vitrine::fusefs {
namespace {

struct Place {
  const char* option;
  std::string path;  // As it was given; empty: it was not.
};

Error Refused(const Place& place, const std::string& why) {
  return {Code::kInvalidArgument,
          std::string(place.option) + " " + place.path + ": " + why};
}

Status CheckNotInAMount(const Place& place, const std::string& resolved) {
  const auto point = FindEnclosingVitrine(resolved);
  if (!point) return point.error();
  if (point->empty()) return {};
  return Refused(place, "lies in the Vitrine mount " + *point);
}

// A file that the mount would hide, and that it would need.
Status CheckNotUnder(const Place& place, const std::string& resolved,
                     const std::string& mount_dir) {
  if (mount_dir.empty() || !IsWithin(resolved, mount_dir)) return {};
  return Refused(place, "lies in the mount that --mount makes");
}

}  // namespace

Status CheckPlaces(const DaemonOptions& options) {
  const Place mount{"--mount", options.mount_dir};
  std::string mount_dir;
  if (!mount.path.empty()) {
    auto resolved = ResolveWhatExists(mount.path);
    if (!resolved) return resolved.error();
    mount_dir = *std::move(resolved);
    if (Status ok = CheckNotInAMount(mount, mount_dir); !ok) return ok;
  }
  const std::vector<Place> places = {{"--state-dir", options.store.state_dir},
                                     {"--memory-dir", options.store.memory_dir},
                                     {"--socket", options.socket_path}};
  for (const Place& place : places) {
    if (place.path.empty()) continue;
    const auto resolved = ResolveWhatExists(place.path);
    if (!resolved) return resolved.error();
    Status ok = CheckNotUnder(place, *resolved, mount_dir);
    if (ok) ok = CheckNotInAMount(place, *resolved);
    if (!ok) return ok;
  }
  return {};
}

}  // namespace vitrine::fusefs
