#include "client/tools/machine_probes.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <thread>

#include "schema/base/mapping.h"
#include "schema/base/unique_fd.h"

namespace vitrine::tools {
namespace {

// Hidden by the mounts, in the private namespace alone.
constexpr const char* kScratchMountPoint = "/tmp";
constexpr uint64_t kFusePassthroughFlag = uint64_t{1} << 37;
constexpr int kInitTimeoutMs = 1000;

Probe Works() { return {.works = true, .why_not = ""}; }

Probe Fails(const std::string& what) {
  return {.works = false, .why_not = what};
}

Probe FailsWithErrno(const std::string& what) {
  return Fails(what + ": " + std::strerror(errno));
}

// Removes a file at the end.
class ScratchFile {
 public:
  explicit ScratchFile(std::string path) : path_(std::move(path)) {
    fd_ = UniqueFd(::mkostemp(path_.data(), O_CLOEXEC));
  }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile() {
    if (unlink_) ::unlink(path_.c_str());
  }

  const std::string& path() const { return path_; }
  UniqueFd& fd() { return fd_; }
  void UnlinkAtEnd() { unlink_ = true; }

 private:
  std::string path_;
  UniqueFd fd_;
  bool unlink_ = false;
};

bool Lease(int fd, int type) {
  if (::fcntl(fd, F_SETLEASE, type) != 0) return false;
  ::fcntl(fd, F_SETLEASE, F_UNLCK);
  return true;
}

// One huge page on hugetlbfs.
Result<size_t> PageBytes(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return ErrnoError("fstat", errno);
  return static_cast<size_t>(info.st_blksize);
}

Probe CheckLeases(UniqueFd writer, int reader) {
  auto page_bytes = PageBytes(writer.get());
  if (!page_bytes) return Fails(page_bytes.error().message);
  if (::ftruncate(writer.get(), static_cast<off_t>(*page_bytes)) != 0) {
    return FailsWithErrno("ftruncate");
  }
  auto mapping =
      Mapping::Map(writer.get(), *page_bytes, PROT_READ | PROT_WRITE);
  if (!mapping) return Fails(mapping.error().message);
  writer = UniqueFd();
  if (Lease(reader, F_RDLCK)) {
    return Fails("a lease was granted although the file is mapped writable");
  }
  *mapping = Mapping();
  if (!Lease(reader, F_RDLCK)) return FailsWithErrno("read lease");
  if (!Lease(reader, F_WRLCK)) return FailsWithErrno("write lease");
  return Works();
}

Result<uint64_t> ReadInitFlags(int fuse_fd) {
  pollfd ready{.fd = fuse_fd, .events = POLLIN, .revents = 0};
  if (::poll(&ready, 1, kInitTimeoutMs) != 1) {
    return Error{Code::kTimeout, "no FUSE_INIT"};
  }
  // The kernel wants room for its largest header and write.
  std::array<char, FUSE_MIN_READ_BUFFER> buffer;
  const ssize_t count = ::read(fuse_fd, buffer.data(), buffer.size());
  fuse_in_header header{};
  fuse_init_in init{};
  if (count < 0) return ErrnoError("read", errno);
  if (static_cast<size_t>(count) < sizeof(header) + sizeof(init)) {
    return Error{Code::kUnsupported, "an old FUSE_INIT"};
  }
  std::memcpy(&header, buffer.data(), sizeof(header));
  std::memcpy(&init, buffer.data() + sizeof(header), sizeof(init));
  if (header.opcode != FUSE_INIT) {
    return Error{Code::kCorruption, "no FUSE_INIT"};
  }
  return init.flags | uint64_t{init.flags2} << 32;
}

std::optional<bool> TryPassthrough() {
  const UniqueFd fd(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!fd.valid()) return std::nullopt;
  const std::string options =
      "fd=" + std::to_string(fd.get()) + ",rootmode=40000,user_id=0,group_id=0";
  if (::mount("vitrine-doctor", kScratchMountPoint, "fuse",
              MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
    return std::nullopt;
  }
  const auto flags = ReadInitFlags(fd.get());
  ::umount2(kScratchMountPoint, MNT_DETACH);
  // A kernel whose first message is too short for the flag has none.
  if (!flags) {
    return flags.error().code == Code::kUnsupported ? std::optional(false)
                                                    : std::nullopt;
  }
  return (*flags & kFusePassthroughFlag) != 0;
}

// `leases`: try those, too, unless null.
Probe TryTmpfs(const char* options, Probe* leases) {
  if (::mount("vitrine-doctor", kScratchMountPoint, "tmpfs",
              MS_NOSUID | MS_NODEV, options) != 0) {
    return FailsWithErrno("mount");
  }
  if (leases != nullptr) *leases = ProbeLeases(kScratchMountPoint);
  ::umount2(kScratchMountPoint, MNT_DETACH);
  return Works();
}

void ProbeInOwnNamespace(MountProbes* probes) {
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    probes->tmpfs = FailsWithErrno("mount namespace");
    probes->huge_tmpfs = probes->tmpfs;
    return;
  }
  probes->tmpfs = TryTmpfs("size=4m", &probes->tmpfs_leases);
  probes->huge_tmpfs = TryTmpfs("size=4m,huge=within_size", nullptr);
  probes->passthrough = TryPassthrough();
}

}  // namespace

Probe ProbeLeases(const std::string& directory) {
  ScratchFile file(directory + "/.vitrine-doctor-XXXXXX");
  if (!file.fd().valid()) return FailsWithErrno("create in " + directory);
  file.UnlinkAtEnd();
  const UniqueFd reader(::open(file.path().c_str(), O_RDONLY | O_CLOEXEC));
  if (!reader.valid()) return FailsWithErrno("open");
  return CheckLeases(std::move(file.fd()), reader.get());
}

Probe ProbeFuseDevice() {
  const UniqueFd fd(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  return fd.valid() ? Works() : FailsWithErrno("open");
}

MountProbes ProbeMounts() {
  MountProbes probes;
  // The namespace is the thread's alone and ends with it.
  std::thread([&] { ProbeInOwnNamespace(&probes); }).join();
  return probes;
}

}  // namespace vitrine::tools
