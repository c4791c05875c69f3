#include "store/server/server_events.h"

#include <utility>

namespace vitrine::store::server {

bool EventQueue::Push(const ObjectEvent& event) {
  MutexLock lock(mutex_);
  if (queued_.size() >= kMostQueued) {
    ++lost_;
    return false;
  }
  queued_.push_back(event);
  return queued_.size() == 1;
}

EventQueue::Taken EventQueue::Take() {
  MutexLock lock(mutex_);
  return {std::exchange(queued_, {}), std::exchange(lost_, 0)};
}

}  // namespace vitrine::store::server
