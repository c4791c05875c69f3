// The mount: the store's objects as files.  Start here.
//
// mount.h                  the mount as a whole, for vitrined
// ops.h                    libfuse's callbacks
// kernel/fuse_session.h    the connection to the kernel, passthrough, threads
// kernel/deferred_reply.h  requests that are answered later
// files/file_system.h      the meaning of each request
#ifndef VITRINE_FUSEFS_MOUNT_H_
#define VITRINE_FUSEFS_MOUNT_H_

#include <vitrine/result.h>

#include <functional>
#include <memory>
#include <string>

#include "fusefs/base/store_names.h"

namespace vitrine::fusefs {

struct MountOptions {
  std::string mount_point;  // An existing directory.
  Switch passthrough = Switch::kAuto;
  store::Access access;  // Who may enter it.
  // Called once, on a thread of the mount, when another process unmounts it.
  // Must not destroy the Mount.
  std::function<void()> on_unmounted;
};

// One mounted store.  Owns the mount and its threads.  Thread-safe.
class Mount {
 public:
  // Replaces a dead mount that a killed store left there.  kUnavailable: a live
  // file system is mounted there, FUSE is not available, or `passthrough` is
  // kOn and not available.  kNotFound, kInvalidArgument, kPermissionDenied: see
  // PrepareMountPoint.  `store` must outlive the Mount.
  static Result<std::unique_ptr<Mount>> Start(Store* store,
                                              const MountOptions& options);
  // Unmounts (lazily) and joins all threads.
  ~Mount();
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;

  bool passthrough() const;
  // The mode, and the reason for it: for Daemon::ReadyLine.
  std::string Describe() const;
  const std::string& mount_point() const;
  // Requests by kind, mode, open objects, bytes that were copied.
  StatusSection GetStatus() const;

 private:
  struct Parts;
  explicit Mount(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_MOUNT_H_
