#include "schema/machine/huge_write_probe.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "schema/base/unique_fd.h"

namespace vitrine::machine {
namespace {

constexpr off_t kHugePageBytes = 2 << 20;

}  // namespace

Status ProbeHugeWrites(int dir) {
  const UniqueFd fd(::openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd.valid()) return ErrnoError("make a scratch file", errno);
  // The last byte of a huge page: then the write ends where the page does.
  struct stat info;
  if (::pwrite(fd.get(), "", 1, kHugePageBytes - 1) != 1 ||
      ::fstat(fd.get(), &info) != 0) {
    return ErrnoError("write to a scratch file", errno);
  }
  if (info.st_blocks * 512 >= kHugePageBytes) return Status();
  return Error{Code::kUnsupported, "growing files get small pages"};
}

}  // namespace vitrine::machine
