// Who may use a store.
#ifndef VITRINE_STORE_BASE_ACCESS_H_
#define VITRINE_STORE_BASE_ACCESS_H_

#include <sys/types.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "store/base/object.h"

namespace vitrine::store {

// Either by mode bits and a group, or by a list of users.  Root and the user
// who runs the store always may.
struct Access {
  // Of the socket.  None: 0666 for root's store and with a list, else 0600.
  std::optional<mode_t> socket_mode;
  std::optional<gid_t> group;  // Of the socket and the directories.
  std::vector<uid_t> users;    // Empty: there is no list.

  bool has_list() const { return !users.empty(); }
  bool Admits(uid_t uid) const {
    return !has_list() || IsTrusted(uid) ||
           std::find(users.begin(), users.end(), uid) != users.end();
  }
  // Of a directory that those may enter who may connect.  With a list, its
  // bits for the group are those of the list.
  mode_t DirectoryMode() const {
    if (has_list()) return 0750;
    const mode_t connects = socket_mode.value_or(0666) & 0022;
    return 0700 | connects << 1 | connects >> 1;  // "w" becomes "r-x".
  }
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_BASE_ACCESS_H_
