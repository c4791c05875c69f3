// Checks and prepares the directory on which the store is mounted.
#ifndef VITRINE_FUSEFS_KERNEL_MOUNT_POINT_H_
#define VITRINE_FUSEFS_KERNEL_MOUNT_POINT_H_

#include <vitrine/result.h>

#include <string>

namespace vitrine::fusefs {

// Makes the directory `path` ready for a mount and returns its absolute path:
// detaches a dead mount that a killed store left.  kUnavailable: a live file
// system is mounted there.  kNotFound: no such directory.  kPermissionDenied:
// of another user.  kInvalidArgument: not a directory.
Result<std::string> PrepareMountPoint(const std::string& path);

// Detaches the mount at `path` lazily; processes that use it may go on.
Status DetachMount(const std::string& path);

// True if a mount of this process may admit other users.
bool MayAllowOtherUsers();

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_KERNEL_MOUNT_POINT_H_
