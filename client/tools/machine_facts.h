// What `vitrine doctor` finds out about a machine, before it judges.
#ifndef VITRINE_CLIENT_TOOLS_MACHINE_FACTS_H_
#define VITRINE_CLIENT_TOOLS_MACHINE_FACTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "schema/machine/hugetlb_pool.h"
#include "schema/machine/memory.h"
#include "schema/machine/memory_file_system.h"
#include "schema/machine/tmpfs_huge_policy.h"

namespace vitrine::tools {

// Of a thing that was tried: it works, or why not.
struct Probe {
  bool works = false;
  std::string why_not;  // Empty if it works.
};

struct HugetlbFacts {
  uint64_t page_bytes = 0;  // Of the mount, or where a mount does not say.
  machine::HugetlbPool pool;
  std::string mount_point;  // Empty: none that can be used.
};

// Defaults are those of a machine that has nothing.
struct MachineFacts {
  std::string kernel_release;
  // CAP_SYS_ADMIN in the initial user namespace.
  bool sys_admin = false;
  Probe fuse_device;
  // Set if a mount could be tried: does this kernel offer passthrough?
  std::optional<bool> passthrough;
  // Could a tmpfs be mounted, and one with huge pages?
  Probe own_tmpfs;
  Probe huge_tmpfs;
  std::string fusermount;  // Path; empty: not installed.
  bool fusermount_setuid = false;
  bool user_allow_other = false;

  Probe shm;  // /dev/shm is a tmpfs where we can make files.
  // None: as much as the machine has.
  std::optional<machine::MemoryFileSystem::Limit> shm_limit;
  uint64_t shm_page_bytes = 0;
  std::string shm_huge = "never";  // Its mount option.
  Probe shm_collapse;              // Of files with small pages into huge ones.
  machine::TmpfsHugePolicy tmpfs_huge = machine::TmpfsHugePolicy::kMissing;
  Probe tmpfs_leases;
  HugetlbFacts hugetlb;
  std::optional<Probe> hugetlb_leases;  // None: nowhere to try.

  uint64_t max_descriptors = 0;  // The hard limit.
  uint64_t max_mappings = 0;
  std::optional<machine::Memory> memory;  // None: the kernel does not say.
};

// Tries and reads everything.  Leaves nothing behind.
MachineFacts GatherMachineFacts();

// --- parts of it ---

// "6.18.44-fc" is at least `major`.`minor`.  False if it is no version.
bool KernelIsAtLeast(std::string_view release, int major, int minor);

}  // namespace vitrine::tools

#endif  // VITRINE_CLIENT_TOOLS_MACHINE_FACTS_H_
