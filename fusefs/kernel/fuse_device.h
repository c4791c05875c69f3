#ifndef VITRINE_FUSEFS_KERNEL_FUSE_DEVICE_H_
#define VITRINE_FUSEFS_KERNEL_FUSE_DEVICE_H_

#include <vitrine/result.h>

#include <string>

#include "schema/base/unique_fd.h"

namespace vitrine::fusefs {

// Mounts a FUSE file system of type `fuse.vitrine` on the directory
// `mount_point` and returns the descriptor for its requests.  Root mounts
// directly, other users through fusermount3.  (libfuse itself would unmount by
// path at the end, whatever is mounted there by then.)
// kUnavailable: no FUSE, or no right to use it.
Result<UniqueFd> MountFuse(const std::string& mount_point, bool allow_other);

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_KERNEL_FUSE_DEVICE_H_
