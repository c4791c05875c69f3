// The nodes of names under wait/ that were not sealed when they were looked up.
//
// The kernel remembers such a name as long as it likes, or as somebody has it
// by O_PATH, and looks it up again before it uses it.  So a node that is long
// unused may be dropped here first: who comes with it nevertheless is told
// ESTALE, and the kernel looks the name up anew.
#ifndef VITRINE_FUSEFS_FILES_WAIT_NODES_H_
#define VITRINE_FUSEFS_FILES_WAIT_NODES_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "fusefs/base/store_names.h"
#include "schema/base/mutex.h"

namespace vitrine::fusefs {

// Thread-safe; calls nobody.
class WaitNodes {
 public:
  // More than one user has processes between a look-up and its open.
  static constexpr size_t kMostOfAUser = 16384;

  // `most_of_a_user`: nodes, of which each user's oldest go first.
  explicit WaitNodes(size_t most_of_a_user = kMostOfAUser)
      : most_of_a_user_(most_of_a_user) {}

  // A new node for a look-up by `uid`.
  uint64_t Add(const ObjectId& id, uid_t uid) EXCLUDES(mutex_);
  // The kernel dropped the node.  Unknown nodes are ignored.
  void Forget(uint64_t node) EXCLUDES(mutex_);
  // None: it was dropped.
  std::optional<ObjectId> Find(uint64_t node) const EXCLUDES(mutex_);
  size_t size() const EXCLUDES(mutex_);

 private:
  struct Node {
    ObjectId id;
    uid_t uid;
  };

  void Erase(uint64_t node) REQUIRES(mutex_);

  const size_t most_of_a_user_;
  mutable Mutex mutex_;
  uint64_t last_ GUARDED_BY(mutex_) = 0;
  std::unordered_map<uint64_t, Node> nodes_ GUARDED_BY(mutex_);
  // The nodes of each user who has some, the oldest first.
  std::map<uid_t, std::set<uint64_t>> users_ GUARDED_BY(mutex_);
};

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_FILES_WAIT_NODES_H_
