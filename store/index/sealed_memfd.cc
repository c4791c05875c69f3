#include "store/index/sealed_memfd.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>

namespace vitrine::store {
namespace {

#ifndef MFD_NOEXEC_SEAL
constexpr unsigned MFD_NOEXEC_SEAL = 8;
#endif

Result<UniqueFd> MakeMemfd(const char* name) {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  UniqueFd fd(::memfd_create(name, kFlags | MFD_NOEXEC_SEAL));
  // Kernels before 6.3 do not support the last flag.
  if (!fd.valid() && errno == EINVAL) {
    fd = UniqueFd(::memfd_create(name, kFlags));
  }
  if (!fd.valid()) return ErrnoError("memfd_create", errno);
  return fd;
}

}  // namespace

Result<UniqueFd> MakeSealedMemfd(const char* name, size_t size_bytes) {
  Result<UniqueFd> fd = MakeMemfd(name);
  if (!fd) return fd;
  if (::fallocate(fd->get(), 0, 0, static_cast<off_t>(size_bytes)) != 0) {
    return ErrnoError("take memory to share with a client", errno);
  }
  if (::fcntl(fd->get(), F_ADD_SEALS,
              F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return ErrnoError("seal memory to share with a client", errno);
  }
  return fd;
}

}  // namespace vitrine::store
