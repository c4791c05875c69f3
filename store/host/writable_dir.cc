#include "store/host/writable_dir.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace vitrine::store {

bool CannotBeWritten(const std::string& dir) {
  struct statvfs space {};
  if (::statvfs(dir.c_str(), &space) != 0) return false;
  return (space.f_flag & ST_RDONLY) != 0 || space.f_bavail == 0 ||
         (space.f_files != 0 && space.f_favail == 0) ||
         ::faccessat(AT_FDCWD, dir.c_str(), W_OK | X_OK, AT_EACCESS) != 0;
}

}  // namespace vitrine::store
