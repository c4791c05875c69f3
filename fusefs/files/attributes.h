// What stat(2) says of what is under the mount.
#ifndef VITRINE_FUSEFS_FILES_ATTRIBUTES_H_
#define VITRINE_FUSEFS_FILES_ATTRIBUTES_H_

#include <sys/stat.h>

#include <cstdint>

#include "fusefs/base/store_names.h"

namespace vitrine::fusefs {

// Practically for ever: what is sealed does not change, and what goes is
// announced to the kernel.
inline constexpr double kForeverSeconds = 1e9;

struct Attributes {
  struct stat stat {};
  double valid_seconds = 0;
};

// Who owns what is no object, and when the store was mounted.
struct FixedOwner {
  uid_t uid = 0;
  gid_t gid = 0;
  int64_t since_ns = 0;
};

Attributes OfObject(const ObjectInfo& info);
// One of the fixed nodes; `changed_ns`: when something came or went.
Attributes OfFixed(uint64_t node, const FixedOwner& owner, int64_t changed_ns);
// The link to a sealed object's segment, whose path has `path_bytes`.
Attributes OfDirect(const ObjectInfo& info, size_t path_bytes);
Attributes OfWait(uint64_t node, const FixedOwner& owner);

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_FILES_ATTRIBUTES_H_
