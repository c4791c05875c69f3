#include "fusefs/files/listing_snapshots.h"

namespace vitrine::fusefs {

std::shared_ptr<const UserSnapshots::Objects> UserSnapshots::Renew(
    ObjectState state) {
  Snapshot taken;
  {
    MutexLock lock(mutex_);
    taken.begun = ++last_;
  }
  taken.objects = std::make_shared<const Objects>(list_(state));
  const auto objects = taken.objects;
  MutexLock lock(mutex_);
  // Another thread may have begun later and ended sooner.  The former snapshot
  // goes after the lock.
  Snapshot& newest = SnapshotOf(state);
  if (newest.begun < taken.begun) std::swap(newest, taken);
  return objects;
}

std::shared_ptr<const UserSnapshots::Objects> UserSnapshots::Newest(
    ObjectState state) {
  {
    MutexLock lock(mutex_);
    if (SnapshotOf(state).objects) return SnapshotOf(state).objects;
  }
  return Renew(state);
}

std::shared_ptr<UserSnapshots> ListingSnapshots::Of(uid_t uid) {
  MutexLock lock(mutex_);
  std::weak_ptr<UserSnapshots>& known = users_[uid];
  if (auto snapshots = known.lock()) return snapshots;
  std::shared_ptr<UserSnapshots> made(new UserSnapshots(list_),
                                      [this, uid](UserSnapshots* snapshots) {
                                        delete snapshots;
                                        Forget(uid);
                                      });
  known = made;
  return made;
}

void ListingSnapshots::Forget(uid_t uid) {
  MutexLock lock(mutex_);
  const auto it = users_.find(uid);
  // Else the user has come back meanwhile.
  if (it != users_.end() && it->second.expired()) users_.erase(it);
}

size_t ListingSnapshots::users() const {
  MutexLock lock(mutex_);
  return users_.size();
}

}  // namespace vitrine::fusefs
