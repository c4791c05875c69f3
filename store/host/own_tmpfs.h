// A tmpfs that the store mounts for itself.
#ifndef VITRINE_STORE_HOST_OWN_TMPFS_H_
#define VITRINE_STORE_HOST_OWN_TMPFS_H_

#include <vitrine/result.h>

#include <cstdint>
#include <string>

#include "store/base/store_options.h"

namespace vitrine::store {

struct OwnTmpfs {
  bool made;  // False: a killed store left it.
  bool huge_pages;
  std::string words;  // "huge pages within_size, noswap".
};

// Mounts a tmpfs of `size_bytes` on the directory `path`, which has no symbolic
// links in it; or gives the one that a killed store left there the new size.
// kNotPermitted: we may not mount.  kUnavailable: something else is mounted
// there.  kTooLarge: what is in it takes more than `size_bytes`.
// kUnsupported: huge pages are wanted and the kernel has none.
Result<OwnTmpfs> MountOwnTmpfs(const std::string& path, uint64_t size_bytes,
                               Switch huge_pages);

// Is one of ours mounted on `path`?  kUnavailable: something else is.
Result<bool> IsOwnTmpfs(const std::string& path);

// Unmounts it, even while somebody has a file on it open.
Status UnmountOwnTmpfs(const std::string& path);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_HOST_OWN_TMPFS_H_
