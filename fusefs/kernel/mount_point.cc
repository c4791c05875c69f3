#include "fusefs/kernel/mount_point.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "fusefs/kernel/enclosing_mount.h"
#include "schema/machine/fuse_conf.h"
#include "schema/machine/mount_table.h"

namespace vitrine::fusefs {
namespace {

Result<std::string> ResolveDirectory(const std::string& path) {
  auto resolved = ResolvePath(path, O_DIRECTORY);
  if (resolved) return resolved;
  return Error{resolved.error().code,
               "mount point " + resolved.error().message};
}

// True if the server of the FUSE mount at `path` is dead.
bool IsDead(const std::string& path) {
  struct statfs stats;
  return ::statfs(path.c_str(), &stats) != 0 &&
         (errno == ENOTCONN || errno == ECONNABORTED);
}

Status DetachWithFusermount(const std::string& path) {
  const char* const argv[] = {"fusermount3", "-u",         "-z",   "-q",
                              "--",          path.c_str(), nullptr};
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, argv[0], nullptr, nullptr,
                                   const_cast<char* const*>(argv), environ);
  if (error != 0) return ErrnoError("fusermount3", error);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return ErrnoError("fusermount3", errno);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return Status();
  return Error{Code::kUnavailable, "fusermount3 cannot unmount " + path};
}

// Checks that this process may mount on `path`, which is no mount point.
Status CheckDirectory(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) {
    return ErrnoError("mount point " + path, errno);
  }
  if (::geteuid() != 0 && ::access(path.c_str(), W_OK) != 0) {
    return Error{Code::kPermissionDenied,
                 "mount point " + path + ": not writable by this user"};
  }
  return Status();
}

}  // namespace

Status DetachMount(const std::string& path) {
  if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
    return Status();
  }
  if (errno != EPERM) return ErrnoError("umount " + path, errno);
  return DetachWithFusermount(path);
}

Result<std::string> PrepareMountPoint(const std::string& path) {
  auto resolved = ResolveDirectory(path);
  if (!resolved) return resolved;
  for (;;) {
    const auto mount = machine::FindMount(*resolved);
    if (!mount) return mount.error();
    if (!mount->has_value()) break;
    if (!(*mount)->type.starts_with("fuse") || !IsDead(*resolved)) {
      return Error{Code::kUnavailable, "mount point " + *resolved +
                                           ": something is mounted there (" +
                                           (*mount)->type + ")"};
    }
    const Status detached = DetachMount(*resolved);
    if (!detached) return detached.error();
  }
  const Status fit = CheckDirectory(*resolved);
  if (!fit) return fit.error();
  return resolved;
}

bool MayAllowOtherUsers() {
  return ::geteuid() == 0 || machine::FuseConfAllowsOthers();
}

}  // namespace vitrine::fusefs
