// A mount whose file system has died.
#ifndef VITRINE_TESTS_FUSEFS_DEAD_MOUNT_H_
#define VITRINE_TESTS_FUSEFS_DEAD_MOUNT_H_

#include <fuse_lowlevel.h>

#include <string>

namespace vitrine::fusefs {

// Mounts a file system at `dir` and closes its device without unmounting,
// which is what the kernel sees of a process that was killed.  No process is
// forked for it: a child of a process with threads may find a lock taken for
// ever.  False if nothing could be mounted.
inline bool LeaveDeadMount(const std::string& dir) {
  char name[] = "dead_mount";
  char* arguments[] = {name, nullptr};
  fuse_args args = FUSE_ARGS_INIT(1, arguments);
  const fuse_lowlevel_ops operations{};
  fuse_session* const session =
      fuse_session_new(&args, &operations, sizeof(operations), nullptr);
  fuse_opt_free_args(&args);
  if (session == nullptr) return false;
  const bool mounted = fuse_session_mount(session, dir.c_str()) == 0;
  fuse_session_destroy(session);
  return mounted;
}

}  // namespace vitrine::fusefs

#endif  // VITRINE_TESTS_FUSEFS_DEAD_MOUNT_H_
