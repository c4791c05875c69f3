#include "client/tools/machine_facts.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <vector>

#include "client/tools/machine_probes.h"
#include "schema/machine/fuse_conf.h"
#include "schema/machine/kernel_text.h"
#include "schema/machine/mount_table.h"

namespace vitrine::tools {
namespace {

constexpr int kCapSysAdmin = 21;  // linux/capability.h
constexpr const char* kShm = "/dev/shm";

// Empty if it cannot be read.
std::string TextOf(const std::string& path) {
  return machine::ReadText(path).value_or("");
}

bool HasSysAdmin() {
  const auto effective =
      machine::FindNumber(TextOf("/proc/self/status"), "CapEff:", 16);
  if (!effective || (*effective >> kCapSysAdmin & 1) == 0) return false;
  // Root of a user namespace is not root.
  std::istringstream map(TextOf("/proc/self/uid_map"));
  uint64_t inside = 1, outside = 1, count = 0;
  map >> inside >> outside >> count;
  return inside == 0 && outside == 0 && count == UINT32_MAX;
}

void FindFusermount(MachineFacts* facts) {
  const char* path = std::getenv("PATH");
  std::istringstream dirs(std::string(path == nullptr ? "" : path) +
                          ":/usr/bin:/bin:/usr/local/bin");
  for (std::string dir; std::getline(dirs, dir, ':');) {
    const std::string file = dir + "/fusermount3";
    struct stat info {};
    if (::access(file.c_str(), X_OK) != 0) continue;
    if (::stat(file.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    facts->fusermount = file;
    facts->fusermount_setuid =
        (info.st_mode & S_ISUID) != 0 && info.st_uid == 0;
    return;
  }
}

// Works if it is a tmpfs where we can make files.
Probe ProbeShm(const Result<machine::MemoryFileSystem>& system) {
  if (!system) return {false, system.error().message};
  if (!system->is_tmpfs()) return {false, "it is not a tmpfs"};
  if (::access(kShm, W_OK | X_OK) == 0) return {true, ""};
  return {false, std::strerror(errno)};
}

void GatherShm(MachineFacts* facts) {
  const auto system = machine::FileSystemOf(kShm);
  facts->shm = ProbeShm(system);
  if (!facts->shm.works) return;
  facts->shm_limit = system->limit;
  facts->shm_page_bytes = system->page_bytes;
  const auto mount = machine::FindMountOf(kShm);
  if (mount && *mount) facts->shm_huge = machine::TmpfsHugeOption(**mount);
  facts->tmpfs_leases = ProbeLeases(kShm);
  facts->shm_collapse = ProbeCollapse(kShm);
}

// One with pages, if there are several.
HugetlbFacts FindHugetlb(const std::vector<machine::MountEntry>& mounts) {
  HugetlbFacts found;
  for (const machine::MountEntry& mount : mounts) {
    const char* const path = mount.mount_point.c_str();
    if (mount.type != "hugetlbfs" || ::access(path, W_OK | X_OK) != 0) continue;
    const auto system = machine::FileSystemOf(mount.mount_point);
    if (!system || !system->is_hugetlbfs()) continue;  // Under another mount.
    found = {system->page_bytes, machine::ReadHugetlbPool(system->page_bytes),
             mount.mount_point};
    if (found.pool.pages > 0) break;
  }
  return found;
}

void GatherHugetlb(MachineFacts* facts) {
  HugetlbFacts& hugetlb = facts->hugetlb;
  const auto mounts = machine::ReadMounts();
  if (mounts) hugetlb = FindHugetlb(*mounts);
  if (!hugetlb.mount_point.empty()) {
    facts->hugetlb_leases = ProbeLeases(hugetlb.mount_point);
    return;
  }
  hugetlb.page_bytes = machine::DefaultHugePageBytes().value_or(0);
  hugetlb.pool = machine::ReadHugetlbPool(hugetlb.page_bytes);
}

void GatherLimits(MachineFacts* facts) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    facts->max_descriptors = limit.rlim_max;
  }
  facts->max_mappings =
      machine::ReadNumber("/proc/sys/vm/max_map_count").value_or(0);
  if (const auto memory = machine::ReadMemory()) facts->memory = *memory;
}

}  // namespace

MachineFacts GatherMachineFacts() {
  MachineFacts facts;
  utsname name{};
  if (::uname(&name) == 0) facts.kernel_release = name.release;
  facts.sys_admin = HasSysAdmin();
  facts.fuse_device = ProbeFuseDevice();
  const MountProbes probes = ProbeMounts();
  facts.passthrough = probes.passthrough;
  facts.own_tmpfs = probes.tmpfs;
  facts.huge_tmpfs = probes.huge_tmpfs;
  facts.tmpfs_leases = probes.tmpfs_leases;
  FindFusermount(&facts);
  facts.user_allow_other = machine::FuseConfAllowsOthers();
  facts.tmpfs_huge = machine::ReadTmpfsHugePolicy();
  GatherShm(&facts);
  GatherHugetlb(&facts);
  GatherLimits(&facts);
  return facts;
}

bool KernelIsAtLeast(std::string_view release, int major, int minor) {
  const char* const end = release.data() + release.size();
  int has_major = 0;
  const auto first = std::from_chars(release.data(), end, has_major);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.') {
    return false;
  }
  int has_minor = 0;
  const auto second = std::from_chars(first.ptr + 1, end, has_minor);
  if (second.ec != std::errc()) return false;
  return has_major > major || (has_major == major && has_minor >= minor);
}

}  // namespace vitrine::tools
