#include "fusefs/kernel/enclosing_mount.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <filesystem>
#include <map>

#include "schema/base/unique_fd.h"
#include "schema/machine/mount_table.h"

namespace vitrine::fusefs {
namespace {

namespace fs = std::filesystem;

bool IsVitrine(const machine::MountEntry& mount) {
  return mount.type == "fuse.vitrine" ||
         (mount.type == "fuse" && mount.source == "vitrine");
}

}  // namespace

Result<std::string> ResolvePath(const std::string& path, int flags) {
  const UniqueFd fd(::open(path.c_str(), O_PATH | O_CLOEXEC | flags));
  if (!fd.valid()) return ErrnoError(path, errno);
  char resolved[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(fd.get());
  const ssize_t size = ::readlink(link.c_str(), resolved, sizeof(resolved));
  if (size < 0) return ErrnoError(path, errno);
  return std::string(resolved, static_cast<size_t>(size));
}

Result<std::string> ResolveWhatExists(const std::string& path) {
  fs::path existing = path;
  fs::path rest;
  for (;;) {
    const auto resolved = ResolvePath(existing);
    if (resolved && rest.empty()) return resolved;
    if (resolved) return (fs::path(*resolved) / rest).string();
    if (!existing.has_relative_path()) return resolved;
    rest = rest.empty() ? existing.filename() : existing.filename() / rest;
    existing = existing.parent_path();
  }
}

bool IsWithin(const std::string& path, const std::string& dir) {
  return path == dir || dir == "/" || path.starts_with(dir + "/");
}

Result<std::string> FindEnclosingVitrine(const std::string& path) {
  const auto mounts = machine::ReadMounts();
  if (!mounts) return mounts.error();
  std::map<std::string, bool> is_vitrine;  // The topmost of each mount point.
  for (const machine::MountEntry& mount : *mounts) {
    is_vitrine[mount.mount_point] = IsVitrine(mount);
  }
  for (const auto& [point, vitrine] : is_vitrine) {
    if (vitrine && path != point && IsWithin(path, point)) return point;
  }
  return std::string();
}

}  // namespace vitrine::fusefs
