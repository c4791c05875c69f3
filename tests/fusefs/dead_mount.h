// A mount whose file system has died.
#ifndef VITRINE_TESTS_FUSEFS_DEAD_MOUNT_H_
#define VITRINE_TESTS_FUSEFS_DEAD_MOUNT_H_

#include <string>

#include "fusefs/kernel/fuse_device.h"

namespace vitrine::fusefs {

// Mounts a file system at `dir` and closes its device without unmounting,
// which is what the kernel sees of a process that was killed.  No process is
// forked for it: a child of a process with threads may find a lock taken for
// ever.  False if nothing could be mounted.
inline bool LeaveDeadMount(const std::string& dir) {
  return MountFuse(dir, /*allow_other=*/false).has_value();
}

}  // namespace vitrine::fusefs

#endif  // VITRINE_TESTS_FUSEFS_DEAD_MOUNT_H_
