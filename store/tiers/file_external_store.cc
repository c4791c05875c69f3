// `file:///directory`: each value is a file.
//
// A value is written to a file with a temporary name, which begins with a '.',
// synced, and renamed.  A file whose fsync(2) has failed is thrown away: the
// kernel may have dropped what it could not write, and the next fsync(2) says
// that all is well.
#include <dirent.h>
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <map>
#include <memory>
#include <utility>

#include "schema/base/mutex.h"
#include "schema/base/unique_fd.h"
#include "store/tiers/direct_file.h"
#include "store/tiers/external_store.h"

namespace vitrine::store {
namespace {

constexpr std::string_view kFileScheme = "file://";
constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kValueMode = 0600;
constexpr int kValueFlags = O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;

using CloseDirectory = int (*)(DIR*);
using DirectoryStream = std::unique_ptr<DIR, CloseDirectory>;

// Calls `visit` with each name in a directory, but for "." and "..".
template <typename Visit>
Status VisitNames(int directory, const Visit& visit) {
  UniqueFd fd(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError("open the directory", errno);
  const DirectoryStream stream(::fdopendir(fd.get()), &::closedir);
  if (stream == nullptr) return ErrnoError("read the directory", errno);
  (void)fd.release();
  for (errno = 0; const dirent* entry = ::readdir(stream.get()); errno = 0) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") visit(name);
  }
  return errno == 0 ? Status() : ErrnoError("read the directory", errno);
}

// A directory with values, which is ours alone.  Thread-safe.
class ValueDirectory {
 public:
  // The one at `path`, which all handles of the process share.
  static Result<std::shared_ptr<ValueDirectory>> Open(const std::string& path);

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }
  std::string NewTemporaryName() {
    return ".new-" + std::to_string(next_temporary_.fetch_add(1));
  }
  Status Sync() const;

 private:
  ValueDirectory(std::string path, UniqueFd fd)
      : path_(std::move(path)), fd_(std::move(fd)) {}
  static Result<std::shared_ptr<ValueDirectory>> OpenAnew(
      const std::string& path);
  Status CheckIsOurs() const;
  Status Lock() const;
  Status RemoveTemporary() const;

  const std::string path_;
  const UniqueFd fd_;  // With the lock.
  std::atomic<uint64_t> next_temporary_{0};
};

Error DirectoryError(const std::string& path, const std::string& what) {
  return {Code::kNotPermitted, "the spill directory " + path + " " + what};
}

Status ValueDirectory::CheckIsOurs() const {
  struct stat info {};
  if (::fstat(fd(), &info) != 0) return ErrnoError("stat " + path_, errno);
  if (info.st_uid != ::geteuid()) {
    return DirectoryError(path_, "belongs to another user");
  }
  if ((info.st_mode & 07777) != kDirectoryMode) {
    return DirectoryError(path_,
                          "is open to others: `chmod 700` it, if it is "
                          "for this store alone");
  }
  return Status();
}

// Only we can open a directory of mode 0700, so nobody else can lock it.
Status ValueDirectory::Lock() const {
  if (::flock(fd(), LOCK_EX | LOCK_NB) == 0) return Status();
  if (errno != EWOULDBLOCK) return ErrnoError("lock " + path_, errno);
  return Error{Code::kUnavailable,
               "another store uses the spill directory " + path_};
}

Status ValueDirectory::RemoveTemporary() const {
  std::vector<std::string> names;
  Status visited = VisitNames(fd(), [&names](std::string_view name) {
    if (name.starts_with(".new-")) names.emplace_back(name);
  });
  for (const std::string& name : names) ::unlinkat(fd(), name.c_str(), 0);
  if (!names.empty()) {
    spdlog::info("{}: removed {} unfinished files", path_, names.size());
  }
  return visited;
}

Status ValueDirectory::Sync() const {
  return ::fsync(fd()) == 0 ? Status() : ErrnoError("fsync " + path_, errno);
}

// A directory that is not durable keeps nothing.
Status MakeDirectory(const std::string& path) {
  if (::mkdir(path.c_str(), kDirectoryMode) != 0) {
    return errno == EEXIST
               ? Status()
               : ErrnoError("make the spill directory " + path, errno);
  }
  const std::string parent = path.substr(0, path.rfind('/') + 1);
  const UniqueFd fd(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.valid() && ::fsync(fd.get()) == 0) return Status();
  return ErrnoError("fsync " + parent, errno);
}

Result<std::shared_ptr<ValueDirectory>> ValueDirectory::OpenAnew(
    const std::string& path) {
  if (Status made = MakeDirectory(path); !made) return made.error();
  UniqueFd fd(
      ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError("open the spill directory " + path, errno);
  std::shared_ptr<ValueDirectory> directory(
      new ValueDirectory(path, std::move(fd)));
  Status ready = directory->CheckIsOurs();
  if (ready) ready = directory->Lock();
  if (ready) ready = directory->RemoveTemporary();
  if (!ready) return ready.error();
  return directory;
}

Result<std::shared_ptr<ValueDirectory>> ValueDirectory::Open(
    const std::string& path) {
  static Mutex mutex;
  static std::map<std::string, std::weak_ptr<ValueDirectory>> opened;
  MutexLock lock(mutex);
  std::weak_ptr<ValueDirectory>& known = opened[path];
  if (auto directory = known.lock()) return directory;
  auto directory = OpenAnew(path);
  if (directory) known = *directory;
  return directory;
}

// A file under a temporary name, which goes unless it is published.
class TemporaryFile {
 public:
  explicit TemporaryFile(ValueDirectory* directory)
      : directory_(directory),
        name_(directory->NewTemporaryName()),
        fd_(::openat(directory->fd(), name_.c_str(),
                     O_WRONLY | O_CREAT | O_EXCL | kValueFlags, kValueMode)),
        errno_(fd_.valid() ? 0 : errno) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (fd_.valid() && !published_) {
      ::unlinkat(directory_->fd(), name_.c_str(), 0);
    }
  }

  bool made() const { return errno_ == 0; }
  int error() const { return errno_; }
  int fd() const { return fd_.get(); }

  // Its bytes are durable; then, so is `name`.
  Status Publish(const std::string& name) {
    if (::fsync(fd()) != 0) return ErrnoError("fsync", errno);
    if (::renameat(directory_->fd(), name_.c_str(), directory_->fd(),
                   name.c_str()) != 0) {
      return ErrnoError("rename", errno);
    }
    published_ = true;
    return directory_->Sync();
  }

 private:
  ValueDirectory* const directory_;
  const std::string name_;
  const UniqueFd fd_;
  const int errno_;
  bool published_ = false;
};

class FileHandle : public ExternalStoreHandle {
 public:
  explicit FileHandle(std::shared_ptr<ValueDirectory> directory)
      : directory_(std::move(directory)) {}

  Status Put(std::string_view name, std::span<const Part> parts) override;
  Status Get(std::string_view name, uint64_t offset_bytes,
             std::span<std::byte> bytes) override;
  Status Delete(std::span<const std::string> names) override;
  Status List(const Visitor& visit) override;

 private:
  Status WriteParts(int fd, std::span<const Part> parts);
  Status Named(std::string_view name, const Status& status) const;

  const std::shared_ptr<ValueDirectory> directory_;
  BounceBuffer buffer_;
};

Error BadName(std::string_view name) {
  return {Code::kInvalidArgument, "no name of a value: " + std::string(name)};
}

Status FileHandle::Named(std::string_view name, const Status& status) const {
  if (status) return status;
  return Error{status.error().code, directory_->path() + "/" +
                                        std::string(name) + ": " +
                                        status.error().message};
}

Status FileHandle::WriteParts(int fd, std::span<const Part> parts) {
  DirectWriter writer(fd, &buffer_);
  for (const Part& part : parts) {
    if (Status appended = writer.Append(part); !appended) return appended;
  }
  return writer.Finish();
}

Status FileHandle::Put(std::string_view name, std::span<const Part> parts) {
  if (!IsExternalName(name)) return BadName(name);
  TemporaryFile file(directory_.get());
  if (!file.made()) {
    return Named(name, ErrnoError("make a file", file.error()));
  }
  Status done = WriteParts(file.fd(), parts);
  if (done) done = file.Publish(std::string(name));
  return Named(name, done);
}

Status FileHandle::Get(std::string_view name, uint64_t offset_bytes,
                       std::span<std::byte> bytes) {
  if (!IsExternalName(name)) return BadName(name);
  const UniqueFd fd(::openat(directory_->fd(), std::string(name).c_str(),
                             O_RDONLY | kValueFlags));
  if (!fd.valid()) return Named(name, ErrnoError("open", errno));
  return Named(name, ReadRange(fd.get(), offset_bytes, bytes));
}

Status FileHandle::Delete(std::span<const std::string> names) {
  for (const std::string& name : names) {
    if (!IsExternalName(name)) return BadName(name);
    if (::unlinkat(directory_->fd(), name.c_str(), 0) != 0 && errno != ENOENT) {
      return Named(name, ErrnoError("remove", errno));
    }
  }
  return directory_->Sync();
}

// What is no regular file, or has another sort of name, is no value.
Status FileHandle::List(const Visitor& visit) {
  Status failed;
  Status listed = VisitNames(
      directory_->fd(), [this, &visit, &failed](std::string_view name) {
        if (!IsExternalName(name)) return;
        struct stat info {};
        if (::fstatat(directory_->fd(), std::string(name).c_str(), &info,
                      AT_SYMLINK_NOFOLLOW) == 0) {
          if (!S_ISREG(info.st_mode)) return;
          visit(name, static_cast<uint64_t>(info.st_size));
        } else if (errno != ENOENT) {  // Else it has gone meanwhile.
          failed = Named(name, ErrnoError("stat", errno));
        }
      });
  return listed ? failed : listed;
}

const ExternalStore::Scheme kFile(
    "file",
    [](std::string_view url) -> Result<std::unique_ptr<ExternalStoreHandle>> {
      std::string path(url.substr(kFileScheme.size()));
      while (path.size() > 1 && path.back() == '/') path.pop_back();
      if (!path.starts_with('/') || path == "/") {
        return Error{Code::kInvalidArgument,
                     "`" + std::string(url) +
                         "` names no directory: file:///directory does"};
      }
      auto directory = ValueDirectory::Open(path);
      if (!directory) return directory.error();
      return std::unique_ptr<ExternalStoreHandle>(
          std::make_unique<FileHandle>(*std::move(directory)));
    });

}  // namespace
}  // namespace vitrine::store
