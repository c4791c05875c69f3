#include "store/host/owned_lock.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

#include "store/host/lock_holder.h"

namespace vitrine::store {
namespace {

constexpr mode_t kMode = 0600;
constexpr mode_t kOthers = 0077;
constexpr int kOpenFlags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
// Somebody who makes the file anew each time must not keep us for ever.
constexpr int kMostTries = 100;

struct LockedFile {
  UniqueFd fd;
  struct stat info;
};

// Without O_CREAT where there is a file: in a sticky directory the kernel
// refuses that for files of others (fs.protected_regular).
int OpenOrMake(const char* path) {
  for (int tries = 0; tries < kMostTries; ++tries) {
    int fd = ::open(path, O_RDWR | kOpenFlags);
    // A file on a read-only file system can still be locked.
    if (fd < 0 && errno == EROFS) fd = ::open(path, O_RDONLY | kOpenFlags);
    if (fd >= 0 || errno != ENOENT) return fd;
    fd = ::open(path, O_RDWR | O_CREAT | O_EXCL | kOpenFlags, kMode);
    if (fd >= 0 || errno != EEXIST) return fd;
  }
  return -1;
}

Result<LockedFile> Open(const std::string& path) {
  LockedFile file{UniqueFd(OpenOrMake(path.c_str())), {}};
  if (!file.fd.valid()) return ErrnoError("open " + path, errno);
  if (::fstat(file.fd.get(), &file.info) != 0) {
    return ErrnoError("stat " + path, errno);
  }
  if (!S_ISREG(file.info.st_mode)) {
    return Error{Code::kInvalidArgument, path + " is not a regular file"};
  }
  return file;
}

bool OthersCouldOpen(const struct stat& info) {
  return info.st_uid != ::geteuid() || (info.st_mode & kOthers) != 0;
}

// True if `path` still names that file.
bool IsStillAt(const struct stat& info, const std::string& path) {
  struct stat named {};
  return ::lstat(path.c_str(), &named) == 0 && info.st_dev == named.st_dev &&
         info.st_ino == named.st_ino;
}

Error InUse(pid_t pid, const std::string& does_what) {
  const std::string name = pid > 0 ? std::to_string(pid) : "unknown";
  return {Code::kUnavailable, "another store (pid " + name + ") " + does_what};
}

// Removes the file at `path` if others could open it and no store has it.
Status RemoveExposed(const std::string& path, const std::string& does_what) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | kOpenFlags));
  if (!fd.valid() && errno == ENOENT) return {};
  struct stat info {};
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0) {
    return ErrnoError("open " + path, errno);
  }
  if (!OthersCouldOpen(info)) return {};
  const std::optional<pid_t> owner = LivingOwnerOf(fd.get(), path);
  if (owner) return InUse(*owner, does_what);
  if (::unlink(path.c_str()) == 0) return {};
  return ErrnoError("remove " + path + ", which other users could lock", errno);
}

// Waits for the lock; only stores that are starting have it, for a moment.
Status WaitForLock(int fd, const std::string& path) {
  while (::flock(fd, LOCK_EX) != 0) {
    if (errno != EINTR) return ErrnoError("lock " + path, errno);
  }
  return {};
}

// Of two stores that find an exposed file, the second must not remove what the
// first has made in its place.  They take turns by a file that was never
// exposed.
Status ReplaceExposed(const std::string& path, const std::string& does_what) {
  const std::string turn = path + ".turn";
  for (int tries = 0; tries < kMostTries; ++tries) {
    const Result<LockedFile> file = Open(turn);
    if (!file) return file.error();
    if (OthersCouldOpen(file->info)) {
      return Error{Code::kNotPermitted,
                   turn + " is open to other users; remove it"};
    }
    Status locked = WaitForLock(file->fd.get(), turn);
    if (!locked) return locked;
    if (!IsStillAt(file->info, turn)) continue;
    Status removed = RemoveExposed(path, does_what);
    ::unlink(turn.c_str());
    return removed;
  }
  return Error{Code::kUnavailable, turn + " is made again and again"};
}

// On a full disk others cannot be told the pid; the lock is ours all the same.
void WritePid(int fd, const std::string& path) {
  const std::string text = std::to_string(::getpid()) + "\n";
  const auto size = static_cast<ssize_t>(text.size());
  if (::ftruncate(fd, 0) == 0 &&
      ::pwrite(fd, text.data(), text.size(), 0) == size) {
    return;
  }
  spdlog::warn("{} does not have the pid of this store: {}", path,
               std::generic_category().message(errno));
}

}  // namespace

Result<OwnedLock> OwnedLock::Take(const std::string& path,
                                  const std::string& does_what) {
  for (int tries = 0; tries < kMostTries; ++tries) {
    Result<LockedFile> file = Open(path);
    if (!file) return file.error();
    if (OthersCouldOpen(file->info)) {
      Status replaced = ReplaceExposed(path, does_what);
      if (!replaced) return replaced.error();
      continue;
    }
    if (::flock(file->fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return ErrnoError("lock " + path, errno);
      return InUse(PidIn(file->fd.get()).value_or(0), does_what);
    }
    if (!IsStillAt(file->info, path)) continue;
    WritePid(file->fd.get(), path);
    return OwnedLock(path, std::move(file->fd));
  }
  return Error{Code::kUnavailable, path + " is made again and again"};
}

OwnedLock& OwnedLock::operator=(OwnedLock&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  return *this;
}

OwnedLock::~OwnedLock() {
  // While we have the lock, nobody else counts the file as his: Take looks.
  if (held()) ::unlink(path_.c_str());
}

}  // namespace vitrine::store
