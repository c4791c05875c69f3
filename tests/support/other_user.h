// Being another user than root.
#ifndef VITRINE_TESTS_SUPPORT_OTHER_USER_H_
#define VITRINE_TESTS_SUPPORT_OTHER_USER_H_

#include <grp.h>
#include <sys/types.h>
#include <unistd.h>

#include <initializer_list>

namespace vitrine {

// Makes this process the user's for good: in the group of the same number and
// in `groups`, and in no other.  False: errno; only root can.
inline bool Become(uid_t uid, std::initializer_list<gid_t> groups = {}) {
  return ::setgroups(groups.size(), groups.begin()) == 0 &&
         ::setresgid(uid, uid, uid) == 0 && ::setresuid(uid, uid, uid) == 0;
}

}  // namespace vitrine

#endif  // VITRINE_TESTS_SUPPORT_OTHER_USER_H_
