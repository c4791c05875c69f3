#include "store/tiers/handle_pool.h"

namespace vitrine::store {

Status HandlePool::With(const Use& use) {
  Handle handle = Take();
  Status done;
  if (handle == nullptr) {
    auto made = ExternalStore::Connect(url_);
    if (made) {
      handle = *std::move(made);
    } else {
      done = made.error();
    }
  }
  if (handle != nullptr) done = use(handle.get());
  if (!done && done.error().code == Code::kDisconnected) handle.reset();
  GiveBack(std::move(handle));
  return done;
}

HandlePool::Handle HandlePool::Take() {
  MutexLock lock(mutex_);
  while (idle_.empty() && unmade_ == 0) given_back_.Wait(mutex_);
  if (idle_.empty()) {
    --unmade_;
    return nullptr;
  }
  Handle handle = std::move(idle_.back());
  idle_.pop_back();
  return handle;
}

void HandlePool::GiveBack(Handle handle) {
  MutexLock lock(mutex_);
  if (handle == nullptr) {
    ++unmade_;
  } else {
    idle_.push_back(std::move(handle));
  }
  given_back_.NotifyOne();
}

}  // namespace vitrine::store
