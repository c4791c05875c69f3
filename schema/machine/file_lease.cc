#include "schema/machine/file_lease.h"

#include <fcntl.h>

#include <cerrno>
#include <csignal>

namespace vitrine::machine {
namespace {

// Must be said anew for each lease: giving one back resets it.
constexpr int kLeaseBreakSignal = SIGURG;

}  // namespace

Result<bool> TakeLease(int fd, int type) {
  if (::fcntl(fd, F_SETSIG, kLeaseBreakSignal) != 0) {
    return ErrnoError("fcntl F_SETSIG", errno);
  }
  if (::fcntl(fd, F_SETLEASE, type) == 0) return true;
  if (errno == EAGAIN) return false;
  return ErrnoError("fcntl F_SETLEASE", errno);
}

void DropLease(int fd) { ::fcntl(fd, F_SETLEASE, F_UNLCK); }

}  // namespace vitrine::machine
