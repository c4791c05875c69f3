#include "store/host/lock_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

namespace vitrine::store {
namespace {

namespace fs = std::filesystem;

// What the owner wrote; "unknown" if that makes no sense.
std::string ReadPid(int fd) {
  std::array<char, 16> text{};
  const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
  std::string pid;
  for (ssize_t i = 0; i < size; ++i) {
    const char c = text[static_cast<size_t>(i)];
    if (c < '0' || c > '9') break;
    pid.push_back(c);
  }
  return pid.empty() ? "unknown" : pid;
}

Status WritePid(int fd, const std::string& path) {
  const std::string text = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd, 0) != 0) return ErrnoError("truncate " + path, errno);
  const ssize_t size = ::pwrite(fd, text.data(), text.size(), 0);
  if (size < 0) return ErrnoError("write " + path, errno);
  if (static_cast<size_t>(size) != text.size()) {
    return ErrnoError("write " + path, ENOSPC);
  }
  return {};
}

// True if `path` still names the file that `fd` is open on.
bool IsStillAt(int fd, const std::string& path) {
  struct stat open_file {};
  struct stat named {};
  return ::fstat(fd, &open_file) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         open_file.st_dev == named.st_dev && open_file.st_ino == named.st_ino;
}

}  // namespace

Result<LockFile> LockFile::Acquire(const std::string& state_dir) {
  LockFile lock;
  if (Status made = lock.MakeStateDir(state_dir); !made) return made.error();
  lock.path_ = state_dir + "/lock";
  for (;;) {
    const Result<bool> locked = lock.TryLock(state_dir);
    if (!locked) return locked.error();
    if (*locked) break;
  }
  if (Status wrote = WritePid(lock.fd_.get(), lock.path_); !wrote) {
    return wrote.error();
  }
  return lock;
}

LockFile::LockFile(LockFile&& other) noexcept
    : path_(std::move(other.path_)),
      made_dirs_(std::exchange(other.made_dirs_, {})),
      fd_(std::move(other.fd_)) {}

LockFile::~LockFile() {
  // While we have the lock, nobody else counts the file as his: TryLock looks.
  if (fd_.valid()) ::unlink(path_.c_str());
  for (auto dir = made_dirs_.rbegin(); dir != made_dirs_.rend(); ++dir) {
    ::rmdir(dir->c_str());  // Stays if somebody put something there.
  }
}

Status LockFile::MakeStateDir(const std::string& state_dir) {
  if (state_dir.empty()) {
    return Error{Code::kInvalidArgument, "the state directory has no name"};
  }
  std::vector<fs::path> missing;
  std::error_code failure;
  for (fs::path dir = fs::absolute(state_dir, failure); dir.has_relative_path();
       dir = dir.parent_path()) {
    if (!dir.has_filename()) continue;
    struct stat status {};
    if (::lstat(dir.c_str(), &status) == 0 || errno != ENOENT) break;
    missing.push_back(dir);
  }
  for (auto dir = missing.rbegin(); dir != missing.rend(); ++dir) {
    if (::mkdir(dir->c_str(), 0755) == 0) {
      made_dirs_.push_back(*dir);
    } else if (errno != EEXIST) {
      return ErrnoError("state directory " + state_dir, errno);
    }
  }
  if (!fs::is_directory(state_dir, failure)) {
    const int why = failure ? failure.value() : ENOTDIR;
    return ErrnoError("state directory " + state_dir, why);
  }
  return {};
}

Result<bool> LockFile::TryLock(const std::string& state_dir) {
  UniqueFd fd(
      ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd.valid()) {
    return ErrnoError("state directory " + state_dir + ": open lock", errno);
  }
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return ErrnoError("lock " + path_, errno);
    return Error{Code::kUnavailable, "another store (pid " + ReadPid(fd.get()) +
                                         ") runs on the state directory " +
                                         state_dir};
  }
  if (!IsStillAt(fd.get(), path_)) return false;
  fd_ = std::move(fd);
  return true;
}

}  // namespace vitrine::store
