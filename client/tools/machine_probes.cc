#include "client/tools/machine_probes.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <thread>

#include "schema/base/unique_fd.h"
#include "schema/machine/collapse_probe.h"
#include "schema/machine/fuse_init.h"
#include "schema/machine/lease_probe.h"

namespace vitrine::tools {
namespace {

// Hidden by the mounts, in the private namespace alone.
constexpr const char* kScratchMountPoint = "/tmp";
constexpr int kInitTimeoutMs = 1000;

Probe Works() { return {.works = true, .why_not = ""}; }

Probe Fails(const std::string& what) {
  return {.works = false, .why_not = what};
}

Probe FailsWithErrno(const std::string& what) {
  return Fails(what + ": " + std::strerror(errno));
}

Probe ProbeIn(const std::string& directory, Status (*probe)(int dir)) {
  const UniqueFd fd(
      ::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return FailsWithErrno("open " + directory);
  const Status status = probe(fd.get());
  return status ? Works() : Fails(status.error().message);
}

// The kernel's first request on a new mount.
std::optional<machine::FuseInit> ReadInit(int fuse_fd) {
  pollfd ready{.fd = fuse_fd, .events = POLLIN, .revents = 0};
  if (::poll(&ready, 1, kInitTimeoutMs) != 1) return std::nullopt;
  // The kernel wants room for its largest header and write.
  std::array<std::byte, FUSE_MIN_READ_BUFFER> buffer;
  const ssize_t count = ::read(fuse_fd, buffer.data(), buffer.size());
  if (count < 0) return std::nullopt;
  return machine::ParseFuseInit(
      std::span(buffer).first(static_cast<size_t>(count)));
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
  const auto init = ReadInit(fd.get());
  ::umount2(kScratchMountPoint, MNT_DETACH);
  if (!init) return std::nullopt;
  return init->passthrough;
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
  return ProbeIn(directory, machine::ProbeLeases);
}

Probe ProbeCollapse(const std::string& directory) {
  return ProbeIn(directory, machine::ProbeCollapse);
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
