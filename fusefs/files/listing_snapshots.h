// What the open directories of one user list.
//
// A reader of a directory goes on behind the number of the last object that it
// got, in any snapshot that was taken since it began: what was there all the
// time is in each of them, at the same place in the order.  So the newest
// snapshot of a user serves all of his directories, however many are open.
#ifndef VITRINE_FUSEFS_FILES_LISTING_SNAPSHOTS_H_
#define VITRINE_FUSEFS_FILES_LISTING_SNAPSHOTS_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "fusefs/base/store_names.h"
#include "schema/base/mutex.h"

namespace vitrine::fusefs {

// The newest snapshot of the sealed and of the unsealed objects.  Thread-safe.
class UserSnapshots {
 public:
  // In the order of their numbers.
  using Objects = std::vector<ObjectRef>;
  using List = std::function<Objects(ObjectState)>;

  explicit UserSnapshots(List list) : list_(std::move(list)) {}

  // Takes one, which has all that is there when the call begins.
  std::shared_ptr<const Objects> Renew(ObjectState state) EXCLUDES(mutex_);
  // The newest one; takes one if there is none.
  std::shared_ptr<const Objects> Newest(ObjectState state) EXCLUDES(mutex_);

 private:
  struct Snapshot {
    uint64_t begun = 0;  // Its place among all that were begun.
    std::shared_ptr<const Objects> objects;
  };

  Snapshot& SnapshotOf(ObjectState state) REQUIRES(mutex_) {
    return state == ObjectState::kSealed ? sealed_ : unsealed_;
  }

  const List list_;
  Mutex mutex_;
  uint64_t last_ GUARDED_BY(mutex_) = 0;
  Snapshot sealed_ GUARDED_BY(mutex_);
  Snapshot unsealed_ GUARDED_BY(mutex_);
};

// The snapshots of all users.  Thread-safe.
class ListingSnapshots {
 public:
  explicit ListingSnapshots(UserSnapshots::List list)
      : list_(std::move(list)) {}

  // Those of `uid`, which live until the last owner of the answer is gone.
  // This must outlive it.
  std::shared_ptr<UserSnapshots> Of(uid_t uid) EXCLUDES(mutex_);
  // Users who have some.
  size_t users() const EXCLUDES(mutex_);

 private:
  void Forget(uid_t uid) EXCLUDES(mutex_);

  const UserSnapshots::List list_;
  mutable Mutex mutex_;
  std::map<uid_t, std::weak_ptr<UserSnapshots>> users_ GUARDED_BY(mutex_);
};

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_FILES_LISTING_SNAPSHOTS_H_
