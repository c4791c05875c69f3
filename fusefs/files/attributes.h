// The results of stat(2) under the mount.
#ifndef VITRINE_FUSEFS_FILES_ATTRIBUTES_H_
#define VITRINE_FUSEFS_FILES_ATTRIBUTES_H_

#include <sys/stat.h>

#include <cstdint>

#include "fusefs/base/store_names.h"

namespace vitrine::fusefs {

// Practically for ever: a sealed object does not change, and the kernel is told
// when it goes.
inline constexpr double kForeverSeconds = 1e9;
// For the rest of the call that looked the name up: the kernel would ask for
// attributes that it has just been given.  A call later in that time looks the
// name up again; only fstat may see what was so a moment ago.
inline constexpr double kThisCallSeconds = 1e-3;

struct Attributes {
  struct stat stat {};
  double valid_seconds = 0;
};

// The owner of nodes that are no objects, the mode of the topmost, and the time
// of the mount.
struct FixedOwner {
  uid_t uid = 0;
  gid_t gid = 0;
  mode_t root_mode = 0755;
  int64_t since_ns = 0;
};

// `write_bytes`: the size in which an unsealed object is best written.
Attributes OfObject(const ObjectInfo& info, uint64_t write_bytes);
// Of a fixed node.  `changed_ns`: the last time when an object came or went.
Attributes OfFixed(uint64_t node, const FixedOwner& owner, int64_t changed_ns);
// Of the link to a sealed object's segment, whose path has `path_bytes`.
Attributes OfDirect(const ObjectInfo& info, size_t path_bytes);
Attributes OfWait(uint64_t node, const FixedOwner& owner);

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_FILES_ATTRIBUTES_H_
