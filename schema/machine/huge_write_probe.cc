#include "schema/machine/huge_write_probe.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "schema/base/huge_page.h"
#include "schema/base/unique_fd.h"

namespace vitrine::machine {

Status ProbeHugeWrites(int dir) {
  const UniqueFd fd(::openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd.valid()) return ErrnoError("make a scratch file", errno);
  // The last byte of a huge page: then the write ends where the page does.
  struct stat info;
  if (::pwrite(fd.get(), "", 1, kTmpfsHugePageBytes - 1) != 1 ||
      ::fstat(fd.get(), &info) != 0) {
    return ErrnoError("write to a scratch file", errno);
  }
  const auto blocks = static_cast<uint64_t>(info.st_blocks);
  if (blocks * 512 >= kTmpfsHugePageBytes) return Status();
  return Error{Code::kUnsupported, "growing files get small pages"};
}

}  // namespace vitrine::machine
