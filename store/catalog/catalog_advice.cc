#include "store/catalog/catalog_advice.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>

namespace vitrine::store {
namespace {

// The bytes of the -shm file whose locks a writer needs ("WAL-mode file format"
// of SQLite's documentation): write, checkpoint, recover.
constexpr unsigned long kFirstLock = 120;
constexpr unsigned long kLastLock = 122;
constexpr uint64_t kLittleBytes = 1 << 20;

// A line of /proc/locks: "1: POSIX  ADVISORY  READ 4711 fd:00:123 120 127".
// The holder, if it is another process that has a writer's lock of `file`; 0:
// it has no pid.
std::optional<pid_t> HolderIn(const std::string& line,
                              const struct stat& file) {
  char kind[16] = {};
  int pid = 0;
  unsigned major = 0;
  unsigned minor = 0;
  unsigned long ino = 0;
  unsigned long first = 0;
  unsigned long last = kLastLock;  // "EOF" is no number.
  const int read =
      std::sscanf(line.c_str(), "%*u: %15s ADVISORY %*s %d %x:%x:%lu %lu %lu",
                  kind, &pid, &major, &minor, &ino, &first, &last);
  const bool same =
      read >= 6 && ino == file.st_ino && makedev(major, minor) == file.st_dev;
  const std::string name = kind;
  if (!same || (name != "POSIX" && name != "OFDLCK") || pid == ::getpid() ||
      first > kLastLock || last < kFirstLock) {
    return std::nullopt;
  }
  return pid > 0 ? pid : 0;
}

std::optional<pid_t> HolderOfLocks(const std::string& path) {
  struct stat file {};
  if (::stat((path + "-shm").c_str(), &file) != 0) return std::nullopt;
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    const std::optional<pid_t> holder = HolderIn(line, file);
    if (holder) return holder;
  }
  return std::nullopt;
}

std::string ProcessName(pid_t pid) {
  if (pid == 0) return "a process";
  std::string name;
  std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/comm"), name);
  return "process " + std::to_string(pid) +
         (name.empty() ? "" : " (" + name + ")");
}

// Of the directory; empty: nothing is wrong with it.
std::string DirRemedy(const std::string& path) {
  const std::string dir = std::filesystem::path(path).parent_path();
  struct statvfs space {};
  if (::statvfs(dir.c_str(), &space) != 0) return "make " + dir;
  if ((space.f_flag & ST_RDONLY) != 0) {
    return "mount the file system of " + dir + " writable";
  }
  if (::faccessat(AT_FDCWD, dir.c_str(), W_OK | X_OK, AT_EACCESS) != 0 ||
      (::access(path.c_str(), F_OK) == 0 &&
       ::faccessat(AT_FDCWD, path.c_str(), R_OK | W_OK, AT_EACCESS) != 0)) {
    return "let user " + std::to_string(::geteuid()) + " write to " + dir +
           " and to " + path;
  }
  if (space.f_bavail * space.f_frsize < kLittleBytes ||
      (space.f_files != 0 && space.f_favail == 0)) {
    return "make room on the file system of " + dir;
  }
  return "";
}

std::string Remedy(const Error& error, const std::string& path) {
  if (const auto holder = HolderOfLocks(path)) {
    return "end " + ProcessName(*holder) + ", which keeps it locked";
  }
  const std::string dir = DirRemedy(path);
  if (!dir.empty()) return dir;
  if (error.code == Code::kUnavailable) return "end the process that uses it";
  return "move " + path + "* away to begin a new catalog";
}

}  // namespace

Status CheckNotLockedByOthers(const std::string& path) {
  const std::optional<pid_t> holder = HolderOfLocks(path);
  if (!holder) return {};
  return Error{Code::kUnavailable,
               path + "-shm is locked by " + ProcessName(*holder)};
}

std::string WithRemedy(const Error& error, const std::string& path) {
  std::string text = error.message;
  if (text.find(path) == std::string::npos) text = path + ": " + text;
  return text + "; " + Remedy(error, path);
}

}  // namespace vitrine::store
