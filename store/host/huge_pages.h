// Whether files on a tmpfs get huge pages.
#ifndef VITRINE_STORE_HOST_HUGE_PAGES_H_
#define VITRINE_STORE_HOST_HUGE_PAGES_H_

#include <vitrine/result.h>

#include <cstdint>
#include <string>

#include "schema/machine/mount_table.h"
#include "schema/machine/tmpfs_huge_policy.h"
#include "store/base/store_options.h"

namespace vitrine::store {

struct HugePages {
  bool on;
  std::string words;  // "huge pages within_size", "4 KiB pages: <why>".
};

// Huge pages on the mount `entry` of a tmpfs that is not ours, given what the
// user wants.  kUnsupported: `wanted` is on or off and cannot be had there.
Result<HugePages> HugePagesOn(const machine::MountEntry& entry,
                              machine::TmpfsHugePolicy policy, Switch wanted);

// Huge pages on a tmpfs that we mount: sets `option` to the mount option.
// kUnsupported: `wanted` is on and the kernel has none.
Result<HugePages> ChooseHugePages(machine::TmpfsHugePolicy policy,
                                  Switch wanted, std::string* option);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_HOST_HUGE_PAGES_H_
