#include "fusefs/files/seal_waiters.h"

#include <algorithm>
#include <utility>

namespace vitrine::fusefs {

uint64_t SealWaiters::Add(const ObjectId& id, Wake wake) {
  MutexLock lock(mutex_);
  waiters_[id.text()].push_back({++last_, std::move(wake)});
  return last_;
}

bool SealWaiters::Remove(const ObjectId& id, uint64_t waiter) {
  Wake dropped;
  MutexLock lock(mutex_);
  const auto it = waiters_.find(id.text());
  if (it == waiters_.end()) return false;
  auto& all = it->second;
  const auto found =
      std::find_if(all.begin(), all.end(),
                   [waiter](const Waiter& w) { return w.number == waiter; });
  if (found == all.end()) return false;
  dropped = std::move(found->wake);
  all.erase(found);
  if (all.empty()) waiters_.erase(it);
  return true;
}

std::vector<SealWaiters::Wake> SealWaiters::Take(const ObjectId& id) {
  std::vector<Wake> taken;
  MutexLock lock(mutex_);
  const auto it = waiters_.find(id.text());
  if (it == waiters_.end()) return taken;
  for (Waiter& waiter : it->second) taken.push_back(std::move(waiter.wake));
  waiters_.erase(it);
  return taken;
}

size_t SealWaiters::size() const {
  MutexLock lock(mutex_);
  size_t total = 0;
  for (const auto& [id, waiters] : waiters_) total += waiters.size();
  return total;
}

}  // namespace vitrine::fusefs
