#include "store/base/object.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace vitrine::store {

// By the kernel's rule: the first class that `who` belongs to decides, even if
// a later one would allow more.
bool MayRead(const ObjectInfo& info, const Credentials& who) {
  if (who.uid == 0) return true;
  if (who.uid == info.uid) return (info.mode & S_IRUSR) != 0;
  const bool in_group =
      who.gid == info.gid || std::find(who.groups.begin(), who.groups.end(),
                                       info.gid) != who.groups.end();
  return (info.mode & (in_group ? S_IRGRP : S_IROTH)) != 0;
}

bool IsTrusted(uid_t uid) { return uid == 0 || uid == ::geteuid(); }

bool IsOwner(const ObjectInfo& info, const Credentials& who) {
  return who.uid == 0 || who.uid == info.uid;
}

}  // namespace vitrine::store
