// The kernel's policy for huge pages on all tmpfs.
#ifndef VITRINE_SCHEMA_MACHINE_TMPFS_HUGE_POLICY_H_
#define VITRINE_SCHEMA_MACHINE_TMPFS_HUGE_POLICY_H_

#include <cstdint>
#include <string>

#include "schema/machine/mount_table.h"

namespace vitrine::machine {

// Where the machine's owner sets it.
inline constexpr const char* kTmpfsHugePolicyFile =
    "/sys/kernel/mm/transparent_hugepage/shmem_enabled";

enum class TmpfsHugePolicy : uint8_t {
  kMissing,    // The kernel was built without.
  kDenied,     // Nowhere, whatever the mount says.
  kAsMounted,  // As the mount option huge= says.
  kForced,     // Everywhere, whatever the mount says.
};

// `root` is where sys is.
TmpfsHugePolicy ReadTmpfsHugePolicy(const std::string& root = "/");

// No page of a file on tmpfs is larger, and all lie at multiples of their size.
uint64_t LargestTmpfsPageBytes(const std::string& root = "/");

// The mount option huge= of the tmpfs `entry`: "never", "within_size", ...
std::string TmpfsHugeOption(const MountEntry& entry);

}  // namespace vitrine::machine

#endif  // VITRINE_SCHEMA_MACHINE_TMPFS_HUGE_POLICY_H_
