#include "schema/machine/memory_file_system.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include <cerrno>

namespace vitrine::machine {
namespace {

MemoryFileSystem::Kind KindOf(const struct statfs& info) {
  if (info.f_type == TMPFS_MAGIC) return MemoryFileSystem::Kind::kTmpfs;
  if (info.f_type == HUGETLBFS_MAGIC) return MemoryFileSystem::Kind::kHugetlbfs;
  return MemoryFileSystem::Kind::kOther;
}

// Without a limit tmpfs says 0 and hugetlbfs 0 or all bits set.
bool IsLimited(const struct statfs& info) {
  return info.f_blocks != 0 && info.f_blocks < UINT64_MAX / 2;
}

MemoryFileSystem Describe(const struct statfs& info) {
  MemoryFileSystem found{KindOf(info), static_cast<uint64_t>(info.f_bsize),
                         std::nullopt};
  if (IsLimited(info)) {
    found.limit = MemoryFileSystem::Limit{info.f_blocks, info.f_bfree};
  }
  return found;
}

}  // namespace

Result<MemoryFileSystem> FileSystemOf(const std::string& path) {
  struct statfs info {};
  if (::statfs(path.c_str(), &info) == 0) return Describe(info);
  return ErrnoError("statfs " + path, errno);
}

Result<MemoryFileSystem> FileSystemOf(int fd, const std::string& path) {
  struct statfs info {};
  if (::fstatfs(fd, &info) == 0) return Describe(info);
  return ErrnoError("statfs " + path, errno);
}

}  // namespace vitrine::machine
