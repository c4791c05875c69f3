#include "store/host/memory_place.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "schema/base/size.h"
#include "schema/index_layout.h"
#include "schema/machine/directory_acl.h"
#include "schema/machine/fuse_conf.h"
#include "schema/machine/memory_file_system.h"
#include "schema/machine/mount_table.h"
#include "schema/machine/tmpfs_huge_policy.h"
#include "store/host/huge_pages.h"
#include "store/host/memory_limit.h"
#include "store/host/own_tmpfs.h"
#include "store/host/writable_dir.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace vitrine::store {
namespace {

namespace fs = std::filesystem;
using machine::MemoryFileSystem;

constexpr const char* kSharedMemoryDir = "/dev/shm";
constexpr const char* kClaimPrefix = ".vitrine";
constexpr const char* kSegmentsName = "segments";
constexpr const char* kRetiredName = "retired";
constexpr std::array<const char*, 2> kControlNames = {"index", "journal"};

// Room on an own tmpfs for the index and the journal: some 400 bytes for each
// object, so this is ample for objects of 6 KiB on average.
uint64_t ControlRoom(uint64_t capacity_bytes) {
  return capacity_bytes / 16 + (uint64_t{64} << 20);
}

Result<std::string> Canonical(const std::string& path, const char* what) {
  std::error_code failure;
  const fs::path canonical = fs::canonical(path, failure);
  if (!failure) return canonical.string();
  Error error = ErrnoError(std::string(what) + " " + path, failure.value());
  error.code = Code::kInvalidArgument;
  return error;
}

bool Exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

// Makes the directory `path`, whatever the umask.  False: it was there, a
// directory of ours.  kUnavailable: something else is there.
Result<bool> MakeDir(const std::string& path, mode_t mode = 0755) {
  if (::mkdir(path.c_str(), mode) == 0) {
    if (::chmod(path.c_str(), mode) == 0) return true;
    const int why = errno;
    ::rmdir(path.c_str());
    return ErrnoError("chmod " + path, why);
  }
  if (errno != EEXIST) return ErrnoError("make the directory " + path, errno);
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    return ErrnoError("stat " + path, errno);
  }
  if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid()) {
    return Error{Code::kUnavailable,
                 path + " is there already and is no directory of ours"};
  }
  return false;
}

Status RemoveTree(const std::string& path) {
  std::error_code failure;
  fs::remove_all(path, failure);
  if (!failure) return {};
  return ErrnoError("remove " + path, failure.value());
}

// Removes what is in the directory `path`.
Status RemoveContents(const std::string& path) {
  std::error_code failure;
  for (const fs::directory_entry& entry :
       fs::directory_iterator(path, failure)) {
    if (Status removed = RemoveTree(entry.path()); !removed) return removed;
  }
  if (!failure || failure == std::errc::no_such_file_or_directory) return {};
  return ErrnoError("list " + path, failure.value());
}

bool IsSegmentName(const std::string& name) {
  return name.size() == kSegmentNameChars &&
         name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// "journal", and what is written beside it to replace it: "journal.new".
bool IsControlName(const std::string& name) {
  return std::any_of(kControlNames.begin(), kControlNames.end(),
                     [&](const std::string& control) {
                       return name == control ||
                              name.starts_with(control + ".");
                     });
}

// Removes the files in the directory `path` whose names `matches`.
Status RemoveMatching(const std::string& path,
                      bool (*matches)(const std::string&)) {
  std::error_code failure;
  for (const fs::directory_entry& entry :
       fs::directory_iterator(path, failure)) {
    if (!matches(entry.path().filename())) continue;
    if (::unlink(entry.path().c_str()) != 0 && errno != ENOENT) {
      return ErrnoError("remove " + entry.path().string(), errno);
    }
  }
  if (!failure || failure == std::errc::no_such_file_or_directory) return {};
  return ErrnoError("list " + path, failure.value());
}

Status RemoveDir(const std::string& path) {
  if (::rmdir(path.c_str()) == 0 || errno == ENOENT) return {};
  return ErrnoError("remove " + path, errno);
}

// The name that says whose a given directory is: `.vitrine` and the state
// directory with its slashes as percent signs, or a hash of it if it is long.
std::string ClaimName(const std::string& state_dir) {
  std::string name = kClaimPrefix;
  for (const char c : state_dir) {
    if (c == '%') name.push_back(c);
    name.push_back(c == '/' ? '%' : c);
  }
  if (name.size() <= NAME_MAX) return name;
  std::array<char, 32> hash{};
  std::snprintf(hash.data(), hash.size(), "-%016llx",
                static_cast<unsigned long long>(
                    XXH3_64bits(state_dir.data(), state_dir.size())));
  return std::string(kClaimPrefix) + hash.data();
}

// kUnavailable: the directory `path` carries a claim that is not ours.
Status CheckNoOtherClaim(const std::string& path,
                         const std::string& state_dir) {
  const std::string own = ClaimName(state_dir);
  std::error_code failure;
  for (const fs::directory_entry& entry :
       fs::directory_iterator(path, failure)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kClaimPrefix)) continue;
    if (name == own && entry.is_directory(failure)) continue;
    std::string message = "memory directory " + path;
    message += " belongs to a store with another state directory (if that ";
    message += "store is gone for good, remove " + name + " and segments)";
    return Error{Code::kUnavailable, message};
  }
  if (!failure) return {};
  return ErrnoError("list " + path, failure.value());
}

uint64_t PagesOfFilesIn(const std::string& path, uint64_t page_bytes) {
  constexpr uint64_t kBlockBytes = 512;
  uint64_t pages = 0;
  std::error_code failure;
  for (const fs::directory_entry& entry :
       fs::directory_iterator(path, failure)) {
    struct stat info {};
    if (::lstat(entry.path().c_str(), &info) != 0) continue;
    pages += static_cast<uint64_t>(info.st_blocks) * kBlockBytes / page_bytes;
  }
  return pages;
}

// Pages that a killed store of ours left in the memory directory `path`.
uint64_t PagesLeftIn(const std::string& path, uint64_t page_bytes) {
  return PagesOfFilesIn(path + "/" + kSegmentsName, page_bytes) +
         PagesOfFilesIn(path + "/" + kRetiredName, page_bytes);
}

// How the pages of the directory `path` on a tmpfs are made.
Result<HugePages> HugePagesAt(const std::string& path, Switch wanted) {
  const Result<std::optional<machine::MountEntry>> entry =
      machine::FindMountOf(path);
  if (!entry) return entry.error();
  // Without an entry (a mount outside of our root) the option is not known.
  return HugePagesOn(entry->value_or(machine::MountEntry{}),
                     machine::ReadTmpfsHugePolicy(), wanted);
}

// Without options, others cannot come to an ordinary user's store but by a
// mount that is shared with them.
mode_t DirectoryModeFor(const Access& access) {
  const bool alone = ::geteuid() != 0 && !access.socket_mode &&
                     !access.has_list() && !machine::FuseConfAllowsOthers();
  return alone ? 0700 : access.DirectoryMode();
}

// Opens the directory to those whom `access` admits, and to nobody else,
// whatever a store before has set.
Status SetAccess(const std::string& path, const Access& access) {
  if (::chmod(path.c_str(), 0700) != 0)
    return ErrnoError("chmod " + path, errno);
  if (Status ok = machine::RemoveDirectoryAcl(path); !ok) return ok;
  if (access.has_list()) {
    Status listed = machine::SetDirectoryAcl(path, access.users);
    if (listed || listed.error().code != Code::kUnsupported) return listed;
    return Error{Code::kUnsupported,
                 "--allow-users: " + path +
                     " is on a file system without access lists; use "
                     "--socket-group"};
  }
  if (access.group &&
      ::chown(path.c_str(), static_cast<uid_t>(-1), *access.group) != 0) {
    return ErrnoError("--socket-group: chown " + path, errno);
  }
  if (::chmod(path.c_str(), DirectoryModeFor(access)) == 0) return {};
  return ErrnoError("chmod " + path, errno);
}

Status CheckWritable(const std::string& path) {
  if (::faccessat(AT_FDCWD, path.c_str(), W_OK | X_OK, AT_EACCESS) == 0) {
    return {};
  }
  return ErrnoError("memory directory " + path, errno);
}

}  // namespace

Result<std::unique_ptr<MemoryPlace>> MemoryPlace::Prepare(
    const StoreOptions& options) {
  std::unique_ptr<MemoryPlace> place(new MemoryPlace);
  const Result<std::string> state_dir =
      Canonical(options.state_dir, "state directory");
  if (!state_dir) return state_dir.error();
  place->state_dir_ = *state_dir;
  if (Status done = place->PrepareAny(options); !done) return done.error();
  place->segments_dir_ = place->memory_dir_ + "/" + kSegmentsName;
  if (const Result<bool> made = MakeDir(place->segments_dir_); !made) {
    return made.error();
  }
  place->retired_dir_ = place->memory_dir_ + "/" + kRetiredName;
  if (const Result<bool> made = MakeDir(place->retired_dir_, 0700); !made) {
    return made.error();
  }
  if (Status ok = SetAccess(place->segments_dir_, options.access); !ok) {
    return ok.error();
  }
  return place;
}

MemoryPlace::~MemoryPlace() {
  // Nobody is left to be told of a failure; the next start meets the rest.
  if (ours_ && fresh_) static_cast<void>(Release());
}

Status MemoryPlace::PrepareAny(const StoreOptions& options) {
  if (Status none = CheckNothingElsewhere(options); !none) return none;
  if (!options.memory_dir.empty()) return PrepareGiven(options);
  if (::geteuid() != 0) return PreparePrivate(options, "");
  const std::string path = state_dir_ + "/memory";
  if (!Exists(path) && HasPrivateObjects()) {
    return PreparePrivate(options, "a killed store left its objects there");
  }
  Status own = PrepareOwnTmpfs(options);
  if (own) return own;
  if (own.error().code == Code::kNotPermitted) {
    return PreparePrivate(options, "mounting is not permitted");
  }
  if (Exists(path) || !CannotBeWritten(state_dir_)) return own;
  return PreparePrivate(options, "no mount point can be made in " + state_dir_);
}

bool MemoryPlace::HasPrivateObjects() const {
  struct stat info {};
  return ::lstat((PrivateDir() + "/" + kSegmentsName).c_str(), &info) == 0 &&
         S_ISDIR(info.st_mode) && info.st_uid == ::geteuid();
}

Status MemoryPlace::CheckNothingElsewhere(const StoreOptions& options) const {
  const std::string path = state_dir_ + "/memory";
  if (options.memory_dir.empty() || options.memory_dir == path) return {};
  const Result<bool> left = IsOwnTmpfs(path);
  if (!left || !*left) return {};
  return Error{Code::kUnavailable,
               "a killed store left its objects in " + path +
                   "; start without --memory-dir to have them, or unmount it"};
}

Status MemoryPlace::PrepareOwnTmpfs(const StoreOptions& options) {
  const Result<MemoryLimit> limit = LimitOfMachine();
  if (!limit) return limit.error();
  const auto page_bytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const Result<MemorySizes> sizes = ChooseSizes(options, *limit, page_bytes);
  if (!sizes) return sizes.error();
  const std::string path = state_dir_ + "/memory";
  const Result<bool> made_dir = MakeDir(path);
  if (!made_dir) return made_dir.error();
  const uint64_t size_bytes = sizes->capacity_bytes + sizes->overshoot_bytes +
                              ControlRoom(sizes->capacity_bytes);
  const Result<OwnTmpfs> tmpfs =
      MountOwnTmpfs(path, size_bytes, options.huge_pages);
  if (!tmpfs) {
    if (*made_dir) ::rmdir(path.c_str());
    return tmpfs.error();
  }
  kind_ = Kind::kOwnTmpfs;
  ours_ = true;
  fresh_ = tmpfs->made;
  memory_dir_ = control_dir_ = path;
  sizes_ = *sizes;
  huge_pages_ = tmpfs->huge_pages;
  words_ = "own tmpfs (" + tmpfs->words + ")";
  return {};
}

std::string MemoryPlace::PrivateDir() const {
  std::array<char, 64> name{};
  std::snprintf(name.data(), name.size(), "/vitrine-%u-%08x", ::geteuid(),
                XXH32(state_dir_.data(), state_dir_.size(), 0));
  return std::string(kSharedMemoryDir) + name.data();
}

Status MemoryPlace::PreparePrivate(const StoreOptions& options,
                                   const std::string& why) {
  const Result<MemoryFileSystem> shared =
      machine::FileSystemOf(kSharedMemoryDir);
  if (!shared || !shared->is_tmpfs()) {
    return Error{Code::kUnsupported, std::string(kSharedMemoryDir) +
                                         " is no tmpfs; name one by "
                                         "--memory-dir"};
  }
  const Result<MemoryLimit> limit = LimitOfTmpfs(kSharedMemoryDir);
  if (!limit) return limit.error();
  const Result<MemorySizes> sizes =
      ChooseSizes(options, *limit, shared->page_bytes);
  if (!sizes) return sizes.error();
  const Result<HugePages> huge =
      HugePagesAt(kSharedMemoryDir, options.huge_pages);
  if (!huge) return huge.error();
  const std::string path = PrivateDir();
  const Result<bool> made = MakeDir(path);
  if (!made) return made.error();
  kind_ = Kind::kPrivate;
  ours_ = true;
  fresh_ = *made;
  memory_dir_ = control_dir_ = path;
  sizes_ = *sizes;
  huge_pages_ = huge->on;
  words_ = "private directory " + path + " (" +
           (why.empty() ? "" : why + "; ") + huge->words + ")";
  return {};
}

Status MemoryPlace::PrepareGiven(const StoreOptions& options) {
  const Result<std::string> path =
      Canonical(options.memory_dir, "memory directory");
  if (!path) return path.error();
  const Result<MemoryFileSystem> system = machine::FileSystemOf(*path);
  if (!system) return system.error();
  if (Status writable = CheckWritable(*path); !writable) return writable;
  kind_ = Kind::kGiven;
  memory_dir_ = *path;
  if (system->is_tmpfs()) return PrepareGivenTmpfs(options);
  if (system->is_hugetlbfs()) {
    return PrepareGivenHugetlbfs(options, system->page_bytes);
  }
  return Error{Code::kInvalidArgument,
               "memory directory " + options.memory_dir +
                   " is on neither a tmpfs nor a hugetlbfs"};
}

Status MemoryPlace::PrepareGivenTmpfs(const StoreOptions& options) {
  const Result<MemoryLimit> limit = LimitOfTmpfs(memory_dir_);
  if (!limit) return limit.error();
  const auto page_bytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const Result<MemorySizes> sizes = ChooseSizes(options, *limit, page_bytes);
  if (!sizes) return sizes.error();
  const Result<HugePages> huge = HugePagesAt(memory_dir_, options.huge_pages);
  if (!huge) return huge.error();
  if (Status claimed = Claim(); !claimed) return claimed;
  control_dir_ = memory_dir_;
  sizes_ = *sizes;
  huge_pages_ = huge->on;
  words_ = "tmpfs " + memory_dir_ + " (" + huge->words + ")";
  return {};
}

Status MemoryPlace::PrepareGivenHugetlbfs(const StoreOptions& options,
                                          uint64_t page_bytes) {
  if (options.huge_pages == Switch::kOff) {
    return Error{Code::kUnsupported, "huge pages cannot be switched off: " +
                                         memory_dir_ + " is on a hugetlbfs"};
  }
  const Result<MemoryLimit> limit =
      LimitOfHugetlbfs(memory_dir_, PagesLeftIn(memory_dir_, page_bytes));
  if (!limit) return limit.error();
  const Result<MemorySizes> sizes = ChooseSizes(options, *limit, page_bytes);
  if (!sizes) return sizes.error();
  if (Status claimed = Claim(); !claimed) return claimed;
  const std::string control_dir = PrivateDir();
  const Result<bool> made = MakeDir(control_dir);
  if (!made) return made.error();
  control_dir_ = control_dir;
  // A journal of segments that went with another mount says nothing.
  if (fresh_) {
    if (Status removed = RemoveContents(control_dir); !removed) return removed;
  }
  sizes_ = *sizes;
  huge_pages_ = true;
  words_ =
      "hugetlbfs " + memory_dir_ + " (pages of " + FormatSize(page_bytes) + ")";
  return {};
}

std::string MemoryPlace::ClaimPath() const {
  return memory_dir_ + "/" + ClaimName(state_dir_);
}

// A directory, because hugetlbfs has no symbolic links, nor files that can be
// written.
Status MemoryPlace::Claim() {
  if (Status free = CheckNoOtherClaim(memory_dir_, state_dir_); !free) {
    return free;
  }
  if (Exists(ClaimPath())) {
    ours_ = true;
    return {};
  }
  for (const char* name :
       {kSegmentsName, kRetiredName, kControlNames[0], kControlNames[1]}) {
    if (!Exists(memory_dir_ + "/" + name)) continue;
    return Error{Code::kUnavailable, "memory directory " + memory_dir_ +
                                         " has a file " + name +
                                         " that is not ours"};
  }
  if (const Result<bool> made = MakeDir(ClaimPath()); !made) {
    return made.error();
  }
  // Somebody may have done the same meanwhile: then one of us sees the other.
  if (Status free = CheckNoOtherClaim(memory_dir_, state_dir_); !free) {
    ::rmdir(ClaimPath().c_str());
    return free;
  }
  ours_ = fresh_ = true;
  return {};
}

Status MemoryPlace::ReleaseGiven() const {
  Status status;
  for (const char* name : {kSegmentsName, kRetiredName}) {
    const std::string path = memory_dir_ + "/" + name;
    if (status) status = RemoveMatching(path, IsSegmentName);
    if (status) status = RemoveDir(path);
  }
  if (status && !control_dir_.empty()) {
    status = control_dir_ == memory_dir_
                 ? RemoveMatching(memory_dir_, IsControlName)
                 : RemoveTree(control_dir_);
  }
  if (!status) return status;
  return RemoveDir(ClaimPath());
}

Status MemoryPlace::Release() {
  if (!ours_) return {};
  ours_ = false;
  if (kind_ == Kind::kGiven) return ReleaseGiven();
  if (kind_ == Kind::kPrivate) return RemoveTree(memory_dir_);
  // A reader keeps the mount alive: it must not keep everything else.
  if (Status removed = RemoveContents(memory_dir_); !removed) return removed;
  if (Status gone = UnmountOwnTmpfs(memory_dir_); !gone) return gone;
  return RemoveDir(memory_dir_);
}

}  // namespace vitrine::store
