// The mount: the store's objects as files.  Start here.
//
// mount.h         the mount as a whole, for vitrined
// session.h       the connection to the kernel, passthrough, threads
// ops.h           libfuse's callbacks
// deferred_reply.h  requests that are answered later
// file_system.h   what each request means
#ifndef VITRINE_FUSEFS_MOUNT_H_
#define VITRINE_FUSEFS_MOUNT_H_

#include <vitrine/result.h>

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "fusefs/base/store_names.h"

namespace vitrine::fusefs {

struct MountOptions {
  std::string mount_point;  // An existing directory.
  Switch passthrough = Switch::kAuto;
  // Called once, on a thread of the mount, when somebody else unmounts it; must
  // not destroy the Mount.
  std::function<void()> on_unmounted;
};

// One mounted store.  Owns the mount and its threads.  Thread-safe.
class Mount {
 public:
  // Replaces what a killed store left mounted there.  kUnavailable: something
  // is mounted there, FUSE cannot be had, or `passthrough` is kOn and cannot
  // be.  kNotFound, kInvalidArgument, kPermissionDenied: the directory.
  // `store` must outlive the Mount.
  static Result<std::unique_ptr<Mount>> Start(Store* store,
                                              const MountOptions& options);
  // Unmounts (lazily) and joins all threads.
  ~Mount();
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;

  bool passthrough() const;
  // In which mode, and why: for the line that says that the store is ready.
  std::string Describe() const;
  const std::string& mount_point() const;
  // Requests by kind, modes, what is open, bytes carried.
  nlohmann::json StatusJson() const;

 private:
  struct Parts;
  explicit Mount(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_MOUNT_H_
