// Paths and the Vitrine mounts that they lie in.  A file system must not need
// itself, nor may another store's objects hold a store.
#ifndef VITRINE_FUSEFS_KERNEL_ENCLOSING_MOUNT_H_
#define VITRINE_FUSEFS_KERNEL_ENCLOSING_MOUNT_H_

#include <vitrine/result.h>

#include <string>

namespace vitrine::fusefs {

// `path` without symbolic links and dots.  Calls no dead file system.  `flags`:
// more of open(2)'s.
Result<std::string> ResolvePath(const std::string& path, int flags = 0);
// The same, as far as it exists.  kIoError and others: not even the root can be
// looked at.
Result<std::string> ResolveWhatExists(const std::string& path);

// True if `path` is `dir`, or lies in it; both are resolved.
bool IsWithin(const std::string& path, const std::string& dir);

// The mount point of the Vitrine mount in which the resolved `path` lies;
// empty: none.  A mount that lies on `path` itself does not count.
Result<std::string> FindEnclosingVitrine(const std::string& path);

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_KERNEL_ENCLOSING_MOUNT_H_
