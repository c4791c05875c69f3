#include "client/tools/diagnosis.h"

#include <algorithm>

#include "schema/base/size.h"

namespace vitrine::tools {
namespace {

using machine::TmpfsHugePolicy;

constexpr uint64_t kContainerShmBytes = uint64_t{64} << 20;
constexpr uint64_t kLittleShmBytes = uint64_t{1} << 30;
constexpr uint64_t kLittleMemoryBytes = uint64_t{1} << 30;
constexpr uint64_t kFewDescriptors = 4096;
constexpr uint64_t kFewMappings = 65530;  // The kernel's default.

Finding Ok(std::string check, std::string detail) {
  return {std::move(check), Verdict::kOk, std::move(detail), ""};
}

Finding Warn(std::string check, std::string detail, std::string remedy) {
  return {std::move(check), Verdict::kWarn, std::move(detail),
          std::move(remedy)};
}

Finding Failed(std::string check, std::string detail, std::string remedy) {
  return {std::move(check), Verdict::kFail, std::move(detail),
          std::move(remedy)};
}

// By the probe if there was one, else by the kernel's version.
bool KernelHasPassthrough(const MachineFacts& facts) {
  return facts.passthrough.value_or(
      KernelIsAtLeast(facts.kernel_release, 6, 9));
}

bool HasMemory(const MachineFacts& facts) {
  return facts.own_tmpfs.works || facts.shm.works;
}

bool CanMountAsRoot(const MachineFacts& facts) {
  return facts.sys_admin && facts.fuse_device.works;
}

bool CanMountAsUser(const MachineFacts& facts) {
  return facts.fuse_device.works && !facts.fusermount.empty() &&
         facts.fusermount_setuid;
}

Finding CheckPassthrough(const MachineFacts& facts) {
  const std::string kernel = "Linux " + facts.kernel_release;
  const std::string how =
      facts.passthrough ? " (the kernel says so)" : " (by its version)";
  if (!KernelHasPassthrough(facts)) {
    return Warn("passthrough", kernel + " has no FUSE passthrough" + how,
                "a kernel of 6.9 or later with CONFIG_FUSE_PASSTHROUGH");
  }
  if (!facts.sys_admin) {
    return Warn("passthrough",
                kernel + " has FUSE passthrough" + how +
                    ", but this process no CAP_SYS_ADMIN",
                "run vitrined as root, outside of user namespaces");
  }
  return Ok("passthrough", kernel + " has FUSE passthrough" + how);
}

Finding CheckFuseDevice(const MachineFacts& facts) {
  if (facts.fuse_device.works) return Ok("/dev/fuse", "can be opened");
  return Warn("/dev/fuse", facts.fuse_device.why_not,
              "modprobe fuse, chmod 666 /dev/fuse; in a container: --device "
              "/dev/fuse");
}

Finding CheckFusermount(const MachineFacts& facts) {
  if (facts.fusermount.empty()) {
    const std::string remedy = "apt-get install fuse3";
    return facts.sys_admin ? Ok("fusermount3", "not installed; root needs none")
                           : Warn("fusermount3", "not installed", remedy);
  }
  if (!facts.fusermount_setuid) {
    return Warn("fusermount3", facts.fusermount + " is not setuid root",
                "chown root " + facts.fusermount + " && chmod 4755 " +
                    facts.fusermount);
  }
  return Ok("fusermount3", facts.fusermount + ", setuid root");
}

Finding CheckAllowOther(const MachineFacts& facts) {
  if (facts.sys_admin) {
    return Ok("user_allow_other", "root needs none");
  }
  if (facts.user_allow_other) {
    return Ok("user_allow_other", "set in /etc/fuse.conf");
  }
  return Warn("user_allow_other",
              "not set: only the user who mounts sees the mount",
              "as root: echo user_allow_other >> /etc/fuse.conf");
}

Finding CheckOwnTmpfs(const MachineFacts& facts) {
  if (facts.own_tmpfs.works) {
    return Ok("own tmpfs", "can be mounted; the store sizes it itself");
  }
  return Warn("own tmpfs",
              "cannot be mounted (" + facts.own_tmpfs.why_not +
                  "); the store uses a directory on /dev/shm",
              "run vitrined as root, or prepare a tmpfs and give it as "
              "--memory-dir");
}

Finding CheckHugePages(const MachineFacts& facts) {
  if (facts.tmpfs_huge == TmpfsHugePolicy::kMissing) {
    return Warn("huge pages", "this kernel has none for tmpfs",
                "a kernel with CONFIG_TRANSPARENT_HUGEPAGE");
  }
  if (facts.tmpfs_huge == TmpfsHugePolicy::kDenied) {
    return Warn("huge pages", "shmem_enabled says deny",
                std::string("echo advise > ") + machine::kTmpfsHugePolicyFile);
  }
  if (facts.tmpfs_huge == TmpfsHugePolicy::kForced) {
    return Ok("huge pages", "shmem_enabled says force");
  }
  if (facts.own_tmpfs.works) {
    return facts.huge_tmpfs.works
               ? Ok("huge pages", "a tmpfs with huge=within_size is granted")
               : Warn("huge pages", facts.huge_tmpfs.why_not,
                      "a kernel with CONFIG_TRANSPARENT_HUGEPAGE");
  }
  if (facts.shm_huge != "never") {
    return Ok("huge pages", "/dev/shm is mounted with huge=" + facts.shm_huge);
  }
  if (facts.shm_collapse.works) {
    return Ok("huge pages",
              "/dev/shm has 4 KiB pages; memory that clients get ahead is "
              "collapsed to huge ones");
  }
  return Warn("huge pages", "/dev/shm has 4 KiB pages",
              "as root: mount -o remount,huge=within_size /dev/shm");
}

Finding CheckShm(const MachineFacts& facts) {
  if (!facts.shm.works) {
    const std::string remedy =
        "mount -t tmpfs -o mode=1777 tmpfs /dev/shm, or give --memory-dir";
    return facts.own_tmpfs.works
               ? Warn("/dev/shm", facts.shm.why_not, remedy)
               : Failed("/dev/shm", facts.shm.why_not, remedy);
  }
  if (!facts.shm_limit) return Ok("/dev/shm", "has no limit of its own");
  const uint64_t bytes = facts.shm_limit->pages * facts.shm_page_bytes;
  const std::string detail =
      FormatSize(facts.shm_limit->free_pages * facts.shm_page_bytes) +
      " free of " + FormatSize(bytes);
  if (facts.own_tmpfs.works || bytes > kLittleShmBytes) {
    return Ok("/dev/shm", detail);
  }
  const bool container = bytes == kContainerShmBytes;
  return Warn("/dev/shm", detail + (container ? ", a container's default" : ""),
              container ? "start the container with --shm-size 8g"
                        : "as root: mount -o remount,size=8g /dev/shm");
}

Finding CheckTmpfsLeases(const MachineFacts& facts) {
  if (!HasMemory(facts)) {
    return Warn("leases", "not tried: there is no tmpfs", "see /dev/shm");
  }
  if (facts.tmpfs_leases.works) {
    return Ok("leases",
              "the kernel tells who has a file on tmpfs open or "
              "mapped");
  }
  return Failed("leases", "on tmpfs: " + facts.tmpfs_leases.why_not,
                "sysctl -w fs.leases-enable=1; a sandbox such as gVisor has "
                "none: run on the host's kernel");
}

Finding CheckHugetlb(const MachineFacts& facts) {
  const HugetlbFacts& hugetlb = facts.hugetlb;
  if (hugetlb.pool.pages == 0) {
    return Ok("hugetlbfs",
              "no pages reserved (optional: sysctl -w "
              "vm.nr_hugepages=N, then --memory-dir on a "
              "hugetlbfs)");
  }
  const std::string detail = std::to_string(hugetlb.pool.free_pages) + " of " +
                             std::to_string(hugetlb.pool.pages) + " pages of " +
                             FormatSize(hugetlb.page_bytes) + " free";
  if (hugetlb.mount_point.empty()) {
    return Warn("hugetlbfs", detail + ", but no mount that can be used",
                "mount -t hugetlbfs none /dev/hugepages");
  }
  return Ok("hugetlbfs", detail + ", mounted on " + hugetlb.mount_point);
}

Finding CheckHugetlbLeases(const MachineFacts& facts) {
  if (facts.hugetlb_leases->works) {
    return Ok("leases on hugetlbfs", "granted");
  }
  return Warn("leases on hugetlbfs", facts.hugetlb_leases->why_not,
              "use a tmpfs with huge pages instead");
}

Finding CheckDescriptors(const MachineFacts& facts) {
  const std::string detail =
      std::to_string(facts.max_descriptors) + " at most in a process";
  if (facts.max_descriptors >= kFewDescriptors) {
    return Ok("descriptors", detail);
  }
  return Warn("descriptors", detail + ": as many clients and open files",
              "ulimit -n 65536, or LimitNOFILE=65536 in the unit");
}

Finding CheckMappings(const MachineFacts& facts) {
  const std::string detail = "vm.max_map_count " +
                             std::to_string(facts.max_mappings) +
                             ": objects that one process may have mapped";
  if (facts.max_mappings >= kFewMappings) return Ok("mappings", detail);
  return Warn("mappings", detail, "sysctl -w vm.max_map_count=1048576");
}

Finding CheckMemory(const MachineFacts& facts) {
  if (!facts.memory) {
    return Failed("memory", "/proc/meminfo does not say how much there is",
                  "mount /proc");
  }
  std::string detail = FormatSize(facts.memory->total_bytes);
  if (const auto limit = facts.memory->cgroup_limit_bytes) {
    detail += ", the control group's limit is " + FormatSize(*limit);
  }
  detail += "; a store's default capacity is 30% of it";
  if (facts.memory->usable_bytes() >= kLittleMemoryBytes) {
    return Ok("memory", detail);
  }
  return Warn("memory", detail, "choose --capacity yourself");
}

}  // namespace

const char* VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk:
      return "ok";
    case Verdict::kWarn:
      return "warn";
    case Verdict::kFail:
      return "fail";
  }
  return "fail";
}

const char* TierName(Tier tier) {
  switch (tier) {
    case Tier::kNone:
      return "none";
    case Tier::kNoMount:
      return "no mount";
    case Tier::kUserMount:
      return "user mount";
    case Tier::kRootMount:
      return "root mount";
    case Tier::kPassthrough:
      return "passthrough";
  }
  return "none";
}

const char* TierMeaning(Tier tier) {
  switch (tier) {
    case Tier::kNone:
      return "a store cannot work here";
    case Tier::kNoMount:
      return "native clients in full, no mount";
    case Tier::kUserMount:
      return "native clients in full; the mount reads through the page cache "
             "(one copy, shared), without copies through direct/ID";
    case Tier::kRootMount:
      return "native clients in full; an own tmpfs; the mount reads through "
             "the page cache (one copy, shared), without copies through "
             "direct/ID";
    case Tier::kPassthrough:
      return "native clients in full; an own tmpfs; read, write and mmap "
             "through the mount without copies";
  }
  return "";
}

Tier TierOf(const MachineFacts& facts) {
  if (!HasMemory(facts) || !facts.tmpfs_leases.works) return Tier::kNone;
  if (CanMountAsRoot(facts)) {
    return KernelHasPassthrough(facts) ? Tier::kPassthrough : Tier::kRootMount;
  }
  return CanMountAsUser(facts) ? Tier::kUserMount : Tier::kNoMount;
}

std::string NextTier(const MachineFacts& facts) {
  switch (TierOf(facts)) {
    case Tier::kNone:
      return "a tmpfs with leases: see the checks that fail";
    case Tier::kNoMount:
      return facts.fuse_device.works
                 ? "install fusermount3 (package fuse3), setuid root"
                 : "make /dev/fuse usable for this user";
    case Tier::kUserMount:
      return KernelHasPassthrough(facts)
                 ? "run vitrined as root: passthrough and an own tmpfs"
                 : "run vitrined as root: an own tmpfs with huge pages";
    case Tier::kRootMount:
      return "a kernel of 6.9 or later: passthrough";
    case Tier::kPassthrough:
      return "";
  }
  return "";
}

std::vector<Finding> DiagnoseMachine(const MachineFacts& facts) {
  std::vector<Finding> findings = {
      CheckPassthrough(facts), CheckFuseDevice(facts),  CheckFusermount(facts),
      CheckAllowOther(facts),  CheckOwnTmpfs(facts),    CheckHugePages(facts),
      CheckShm(facts),         CheckTmpfsLeases(facts), CheckHugetlb(facts)};
  if (facts.hugetlb_leases) findings.push_back(CheckHugetlbLeases(facts));
  findings.push_back(CheckDescriptors(facts));
  findings.push_back(CheckMappings(facts));
  findings.push_back(CheckMemory(facts));
  return findings;
}

}  // namespace vitrine::tools
