#include "store/host/lock_file.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "store/host/writable_dir.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace vitrine::store {
namespace {

namespace fs = std::filesystem;

std::string StandbyPath(const std::string& state_dir) {
  std::array<char, 64> name{};
  std::snprintf(name.data(), name.size(), "/dev/shm/.vitrine-lock-%016llx",
                static_cast<unsigned long long>(
                    XXH3_64bits(state_dir.data(), state_dir.size())));
  return name.data();
}

Result<OwnedLock> TakeStandby(const std::string& state_dir,
                              const std::string& does_what,
                              const Error& why_not) {
  spdlog::warn("{}; the store locks {} instead", why_not.message,
               StandbyPath(state_dir));
  return OwnedLock::Take(StandbyPath(state_dir), does_what);
}

Result<OwnedLock> TakeLock(const std::string& state_dir) {
  const std::string does_what = "runs on the state directory " + state_dir;
  const std::string standby = StandbyPath(state_dir);
  Result<OwnedLock> lock = OwnedLock::Take(state_dir + "/lock", does_what);
  if (!lock) {
    const Code code = lock.error().code;
    const bool full = code == Code::kOutOfMemory;
    if (code == Code::kUnavailable || !(full || CannotBeWritten(state_dir))) {
      return lock;
    }
    return TakeStandby(state_dir, does_what, lock.error());
  }
  // A store that could not make the file may run still.
  if (::access(standby.c_str(), F_OK) == 0) {
    const Result<OwnedLock> unused = OwnedLock::Take(standby, does_what);
    if (!unused) return unused.error();
  }
  return lock;
}

}  // namespace

Result<LockFile> LockFile::Acquire(const std::string& state_dir) {
  LockFile lock;
  if (Status made = lock.MakeStateDir(state_dir); !made) return made.error();
  Result<OwnedLock> taken = TakeLock(state_dir);
  if (!taken) return taken.error();
  lock.lock_ = *std::move(taken);
  return lock;
}

LockFile::LockFile(LockFile&& other) noexcept
    : made_dirs_(std::exchange(other.made_dirs_, {})),
      lock_(std::move(other.lock_)) {}

LockFile::~LockFile() {
  lock_ = OwnedLock();  // Its file, before the directories.
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

}  // namespace vitrine::store
