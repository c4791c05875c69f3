// What `vitrine doctor` finds out about a machine, before it judges.
#ifndef VITRINE_CLIENT_TOOLS_MACHINE_FACTS_H_
#define VITRINE_CLIENT_TOOLS_MACHINE_FACTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vitrine::tools {

// Of a thing that was tried: it works, or why not.
struct Probe {
  bool works = false;
  std::string why_not;  // Empty if it works.
};

struct HugetlbFacts {
  uint64_t page_bytes = 0;
  uint64_t total_pages = 0;
  uint64_t free_pages = 0;
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
  uint64_t shm_total_bytes = 0;
  uint64_t shm_free_bytes = 0;
  std::string shm_huge;    // Its mount option; empty: none.
  std::string tmpfs_huge;  // The kernel's word; empty: has none.
  Probe tmpfs_leases;
  HugetlbFacts hugetlb;
  std::optional<Probe> hugetlb_leases;  // None: nowhere to try.

  uint64_t max_descriptors = 0;  // The hard limit.
  uint64_t max_mappings = 0;
  uint64_t memory_bytes = 0;
  uint64_t memory_limit_bytes = 0;  // Of the control group; 0: none.
};

// Tries and reads everything.  Leaves nothing behind.
MachineFacts GatherMachineFacts();

// --- parts of it ---

// "6.18.44-fc" is at least `major`.`minor`.  False if it is no version.
bool KernelIsAtLeast(std::string_view release, int major, int minor);
// The word in brackets of "always [never] deny"; empty: there is none.
std::string SelectedWord(std::string_view line);
// True if `option` stands on a line of its own in fuse.conf's `text`.
bool HasConfLine(std::string_view text, std::string_view option);
// The number after `key` in lines such as "CapEff: 00ff", read in `base`.
std::optional<uint64_t> FindNumber(std::string_view text, std::string_view key,
                                   int base);
// The value of `option` in "rw,size=8k"; empty: not there.
std::string MountOption(std::string_view options, std::string_view option);

}  // namespace vitrine::tools

#endif  // VITRINE_CLIENT_TOOLS_MACHINE_FACTS_H_
