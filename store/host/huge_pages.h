// Whether files on a tmpfs get huge pages.
#ifndef VITRINE_STORE_HOST_HUGE_PAGES_H_
#define VITRINE_STORE_HOST_HUGE_PAGES_H_

#include <vitrine/result.h>

#include <cstdint>
#include <string>

#include "store/base/store_options.h"
#include "store/host/mount_table.h"

namespace vitrine::store {

// What the kernel says of huge pages on tmpfs as a whole
// (/sys/kernel/mm/transparent_hugepage/shmem_enabled).
enum class TmpfsHugePolicy : uint8_t {
  kMissing,    // The kernel was built without.
  kDenied,     // Nowhere, whatever the mount says.
  kAsMounted,  // As the mount option huge= says.
  kForced,     // Everywhere, whatever the mount says.
};

TmpfsHugePolicy ReadTmpfsHugePolicy(const std::string& root = "/");

struct HugePages {
  bool on;
  std::string words;  // "huge pages within_size", "4 KiB pages: <why>".
};

// Huge pages on the mount `entry` of a tmpfs that is not ours, given what the
// user wants.  kUnsupported: `wanted` is on or off and cannot be had there.
Result<HugePages> HugePagesOn(const MountEntry& entry, TmpfsHugePolicy policy,
                              Switch wanted);

// Huge pages on a tmpfs that we mount: sets `option` to the mount option.
// kUnsupported: `wanted` is on and the kernel has none.
Result<HugePages> ChooseHugePages(TmpfsHugePolicy policy, Switch wanted,
                                  std::string* option);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_HOST_HUGE_PAGES_H_
