// The directory that the store is mounted on: is it fit, what is there now.
#ifndef VITRINE_FUSEFS_KERNEL_MOUNT_POINT_H_
#define VITRINE_FUSEFS_KERNEL_MOUNT_POINT_H_

#include <vitrine/result.h>

#include <string>

#include "store/host/mount_table.h"

namespace vitrine::fusefs {

// The absolute path of the directory `path`, fit to be mounted on: what a
// killed store left mounted there has been detached.  kUnavailable: something
// alive is mounted there.  kNotFound, kPermissionDenied, kInvalidArgument: no
// such directory, not ours, not a directory.
Result<std::string> PrepareMountPoint(const std::string& path);

// Detaches whatever is mounted at `path`; who uses it may go on.
Status DetachMount(const std::string& path);

// May a mount of this process let other users in?
bool MayAllowOtherUsers();

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_KERNEL_MOUNT_POINT_H_
