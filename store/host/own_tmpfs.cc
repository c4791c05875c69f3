#include "store/host/own_tmpfs.h"

#include <sys/mount.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <optional>
#include <vector>

#include "schema/base/size.h"
#include "schema/machine/mount_table.h"
#include "store/host/huge_pages.h"

namespace vitrine::store {
namespace {

// By which a restarted store knows its own.
constexpr const char* kSource = "vitrine";
constexpr unsigned long kMountFlags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

std::string Join(const std::string& options, const std::string& more) {
  return more.empty() ? options : options + "," + more;
}

// Sets errno.
bool TryMount(const std::string& path, unsigned long flags,
              const std::string& options) {
  return ::mount(kSource, path.c_str(), "tmpfs", flags, options.c_str()) == 0;
}

// What is used on the file system at `path`.
uint64_t UsedBytes(const std::string& path) {
  struct statvfs space {};
  if (::statvfs(path.c_str(), &space) != 0) return 0;
  return (space.f_blocks - space.f_bfree) * space.f_frsize;
}

Error MountError(const std::string& path, bool remount, uint64_t size_bytes,
                 int errno_value) {
  if (remount && UsedBytes(path) > size_bytes) {
    return {Code::kTooLarge, "the objects that an earlier store left in " +
                                 path + " take " + FormatSize(UsedBytes(path)) +
                                 "; choose a larger --capacity"};
  }
  Error error = ErrnoError("mount a tmpfs on " + path, errno_value);
  // EACCES: from a security module, as in containers.
  if (errno_value == EPERM || errno_value == EACCES) {
    error.code = Code::kNotPermitted;
  }
  return error;
}

}  // namespace

Result<bool> IsOwnTmpfs(const std::string& path) {
  const Result<std::optional<machine::MountEntry>> entry =
      machine::FindMount(path);
  if (!entry) return entry.error();
  if (!*entry) return false;
  if ((*entry)->type == "tmpfs" && (*entry)->source == kSource) return true;
  return Error{Code::kUnavailable, "something else (" + (*entry)->source +
                                       ", " + (*entry)->type +
                                       ") is mounted on " + path};
}

Result<OwnTmpfs> MountOwnTmpfs(const std::string& path, uint64_t size_bytes,
                               Switch huge_pages) {
  std::string huge_option;
  const Result<HugePages> huge =
      ChooseHugePages(machine::ReadTmpfsHugePolicy(), huge_pages, &huge_option);
  if (!huge) return huge.error();
  const Result<bool> mounted = IsOwnTmpfs(path);
  if (!mounted) return mounted.error();
  const unsigned long flags = *mounted ? kMountFlags | MS_REMOUNT : kMountFlags;
  const std::string options =
      Join("size=" + std::to_string(size_bytes) + ",mode=0755,nr_inodes=0",
           huge_option);
  // Kernels before 6.4 do not know noswap and say EINVAL.
  if (TryMount(path, flags, Join(options, "noswap"))) {
    return OwnTmpfs{!*mounted, huge->on, huge->words + ", noswap"};
  }
  if (errno == EINVAL && TryMount(path, flags, options)) {
    return OwnTmpfs{!*mounted, huge->on, huge->words};
  }
  return MountError(path, *mounted, size_bytes, errno);
}

Status UnmountOwnTmpfs(const std::string& path) {
  if (::umount2(path.c_str(), UMOUNT_NOFOLLOW) == 0) return {};
  // A process that has a file open keeps it; none can open more.
  if (errno == EBUSY &&
      ::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
    return {};
  }
  return ErrnoError("unmount " + path, errno);
}

}  // namespace vitrine::store
