#include "store/catalog/catalog_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <ctime>
#include <filesystem>
#include <span>
#include <utility>
#include <vector>

#include "schema/base/unique_fd.h"
#include "schema/base/write_all.h"

namespace vitrine::store {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLogSuffix = "-wal";
constexpr const char* kLocksSuffix = "-shm";
constexpr const char* kSuffixes[] = {"", kLogSuffix, kLocksSuffix};
constexpr const char* kAside = ".damaged-";
constexpr const char* kCopySuffix = ".new";
constexpr size_t kMostAside = 8;
constexpr mode_t kPermissions = 0777;
constexpr off_t kLeastLocksBytes = 32 * 1024;  // SQLite maps so much at once.

FileId IdAt(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return {};
  return {info.st_dev, info.st_ino};
}

bool IsCut(const std::string& locks) {
  struct stat info {};
  return ::lstat(locks.c_str(), &info) == 0 && info.st_size < kLeastLocksBytes;
}

Status Remove(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return ErrnoError("remove " + path, errno);
}

Status MakeDatabase(const std::string& path, mode_t mode) {
  const UniqueFd fd(
      ::open(path.c_str(),
             O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, mode));
  if (!fd.valid()) return ErrnoError("open the catalog " + path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) {
    return ErrnoError("stat the catalog " + path, errno);
  }
  if (S_ISREG(info.st_mode)) return {};
  return Error{Code::kInvalidArgument, path + " is not a regular file"};
}

// True if others than `mode` allows could open one of the files.
bool IsExposed(const std::string& path, mode_t mode) {
  return std::any_of(std::begin(kSuffixes), std::end(kSuffixes),
                     [&](const char* suffix) {
                       struct stat info {};
                       return ::lstat((path + suffix).c_str(), &info) == 0 &&
                              (info.st_mode & kPermissions & ~mode) != 0;
                     });
}

Status CopyBytes(int from, int to, const std::string& path) {
  std::vector<std::byte> buffer(1 << 20);
  for (uint64_t offset = 0;;) {
    const ssize_t got =
        ::pread(from, buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (got < 0) return ErrnoError("read " + path, errno);
    if (got == 0) return {};
    const std::span bytes(buffer.data(), static_cast<size_t>(got));
    if (Status status = WriteAllAt(to, offset, bytes); !status) return status;
    offset += bytes.size();
  }
}

// The file has its name all the time, and is whole all the time.
Status ReplaceByCopy(const std::string& path, mode_t mode) {
  const UniqueFd from(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!from.valid() && errno == ENOENT) return {};
  if (!from.valid()) return ErrnoError("open " + path, errno);
  const std::string copy = path + kCopySuffix;
  if (Status removed = Remove(copy); !removed) return removed;
  const UniqueFd to(::open(copy.c_str(),
                           O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                           mode));
  if (!to.valid()) return ErrnoError("make " + copy, errno);
  Status status = CopyBytes(from.get(), to.get(), path);
  if (status && ::fsync(to.get()) != 0)
    status = ErrnoError("sync " + copy, errno);
  if (status && ::rename(copy.c_str(), path.c_str()) != 0) {
    status = ErrnoError("rename " + copy, errno);
  }
  if (!status) ::unlink(copy.c_str());
  return status;
}

Status ReplaceAll(const std::string& path, mode_t mode) {
  for (const char* suffix : {"", kLogSuffix}) {
    if (Status status = ReplaceByCopy(path + suffix, mode); !status) {
      return status;
    }
  }
  return RemoveLocksOf(path);
}

// Whatever the umask was.  SQLite makes the others as the database is.
Status SetModes(const std::string& path, mode_t mode) {
  for (const char* suffix : kSuffixes) {
    const std::string file = path + suffix;
    struct stat info {};
    if (::lstat(file.c_str(), &info) != 0 || !S_ISREG(info.st_mode) ||
        (info.st_mode & kPermissions) == mode) {
      continue;
    }
    if (::chmod(file.c_str(), mode) != 0) {
      return ErrnoError("set the mode of " + file, errno);
    }
  }
  return {};
}

std::string NowAsText() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  char text[32] = {};
  ::gmtime_r(&now, &utc);
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H-%M-%SZ", &utc);
  return text;
}

// A name that is free with all suffixes.
std::string FreeName(const std::string& path) {
  const std::string base = path + kAside + NowAsText();
  std::string name = base;
  for (int i = 2; CatalogFiles::At(name) != CatalogFiles(); ++i) {
    name = base + "." + std::to_string(i);
  }
  return name;
}

// When its name changed last.
std::pair<time_t, long> ChangeTime(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return {};
  return {info.st_ctim.tv_sec, info.st_ctim.tv_nsec};
}

std::vector<std::string> DatabasesAside(const std::string& path) {
  const std::string prefix = fs::path(path).filename().string() + kAside;
  std::vector<std::string> databases;
  std::error_code failure;  // Then none are removed.
  for (const auto& entry :
       fs::directory_iterator(fs::path(path).parent_path(), failure)) {
    const std::string name = entry.path().filename();
    if (name.starts_with(prefix) && !name.ends_with(kLogSuffix) &&
        !name.ends_with(kLocksSuffix)) {
      databases.push_back(entry.path());
    }
  }
  return databases;
}

// A disk that damages each one must not be filled by them.
void RemoveOldestAside(const std::string& path) {
  std::vector<std::string> databases = DatabasesAside(path);
  std::sort(databases.begin(), databases.end(),
            [](const std::string& a, const std::string& b) {
              return ChangeTime(a) < ChangeTime(b);
            });
  for (size_t i = 0; i + kMostAside < databases.size(); ++i) {
    for (const char* suffix : kSuffixes) {
      ::unlink((databases[i] + suffix).c_str());
    }
  }
}

}  // namespace

CatalogFiles CatalogFiles::At(const std::string& path) {
  return {IdAt(path), IdAt(path + kLogSuffix), IdAt(path + kLocksSuffix),
          IsCut(path + kLocksSuffix)};
}

std::string RestoredCopyOf(const std::string& path) {
  return path + ".restored";
}

Status PrepareCatalogFiles(const std::string& path, mode_t mode) {
  for (const std::string& copy : {RestoredCopyOf(path), path + kCopySuffix,
                                  path + kLogSuffix + kCopySuffix}) {
    ::unlink(copy.c_str());  // Of a store that was killed; mostly none.
  }
  if (Status made = MakeDatabase(path, mode); !made) return made;
  if (IsExposed(path, mode)) {
    if (Status closed = ReplaceAll(path, mode); !closed) return closed;
  }
  return SetModes(path, mode);
}

Status RemoveLogOf(const std::string& path) {
  Status status = Remove(path + kLogSuffix);
  if (status) status = RemoveLocksOf(path);
  return status;
}

Status RemoveLocksOf(const std::string& path) {
  return Remove(path + kLocksSuffix);
}

Result<std::string> SetCatalogAside(const std::string& path) {
  const std::string name = FreeName(path);
  // The database last: as long as it has its name, this is tried again.
  for (const char* suffix : {kLocksSuffix, kLogSuffix, ""}) {
    const std::string from = path + suffix;
    if (::rename(from.c_str(), (name + suffix).c_str()) != 0 &&
        errno != ENOENT) {
      return ErrnoError("rename " + from + " to " + name + suffix, errno);
    }
  }
  RemoveOldestAside(path);
  return name;
}

}  // namespace vitrine::store
