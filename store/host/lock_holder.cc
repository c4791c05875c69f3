#include "store/host/lock_holder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <system_error>

namespace vitrine::store {
namespace {

namespace fs = std::filesystem;

bool IsSameFile(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// Its descriptors are closed to us: then it counts as having the file.
bool HasOpen(const std::string& process, const struct stat& file) {
  std::error_code failure;
  for (fs::directory_iterator fd(process + "/fd", failure), end;
       !failure && fd != end; fd.increment(failure)) {
    struct stat open {};
    if (::stat(fd->path().c_str(), &open) == 0 && IsSameFile(open, file)) {
      return true;
    }
  }
  return failure == std::errc::permission_denied;
}

bool DecidesAbout(uid_t uid, const std::string& dir) {
  struct stat info {};
  return uid == ::geteuid() ||
         (::stat(dir.c_str(), &info) == 0 && info.st_uid == uid);
}

}  // namespace

std::optional<pid_t> PidIn(int fd) {
  std::array<char, 16> text{};
  const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
  const char* const end = text.data() + std::max<ssize_t>(size, 0);
  pid_t pid = 0;
  const auto read = std::from_chars(text.data(), end, pid);
  if (read.ec != std::errc() || pid <= 0) return std::nullopt;
  return pid;
}

std::optional<pid_t> LivingOwnerOf(int fd, const std::string& path) {
  struct stat file {};
  struct stat owner {};
  const std::optional<pid_t> pid = PidIn(fd);
  if (!pid || ::fstat(fd, &file) != 0) return std::nullopt;
  const std::string process = "/proc/" + std::to_string(*pid);
  if (::stat(process.c_str(), &owner) != 0 || owner.st_uid != file.st_uid) {
    return std::nullopt;
  }
  if (!DecidesAbout(file.st_uid, fs::path(path).parent_path())) {
    return std::nullopt;
  }
  return HasOpen(process, file) ? pid : std::nullopt;
}

}  // namespace vitrine::store
