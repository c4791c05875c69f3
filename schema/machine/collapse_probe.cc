#include "schema/machine/collapse_probe.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "schema/base/huge_page.h"
#include "schema/base/mapping.h"
#include "schema/base/unique_fd.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

namespace vitrine::machine {

Status ProbeCollapse(int dir) {
  const UniqueFd fd(::openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd.valid()) return ErrnoError("make a scratch file", errno);
  if (::posix_fallocate(fd.get(), 0, kTmpfsHugePageBytes) != 0) {
    return Error{Code::kOutOfMemory, "no memory for a scratch file"};
  }
  auto mapping =
      Mapping::Map(fd.get(), kTmpfsHugePageBytes, PROT_READ | PROT_WRITE);
  if (!mapping) return mapping.error();
  std::memset(mapping->data(), 1, kTmpfsHugePageBytes);
  if (::madvise(mapping->data(), kTmpfsHugePageBytes, MADV_COLLAPSE) == 0) {
    return Status();
  }
  return Error{Code::kUnsupported,
               std::string("MADV_COLLAPSE: ") + std::strerror(errno)};
}

}  // namespace vitrine::machine
