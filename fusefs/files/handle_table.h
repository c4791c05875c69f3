#ifndef VITRINE_FUSEFS_FILES_HANDLE_TABLE_H_
#define VITRINE_FUSEFS_FILES_HANDLE_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>

#include "schema/base/mutex.h"

namespace vitrine::fusefs {

// Handles of open files or directories, which the kernel sends with each
// request.  A found T lives as long as the caller has the pointer. Thread-safe.
template <typename T>
class HandleTable {
 public:
  uint64_t Add(std::shared_ptr<T> open) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    open_.emplace(++last_, std::move(open));
    return last_;
  }
  // Null: no such handle.
  std::shared_ptr<T> Find(uint64_t handle) const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    const auto it = open_.find(handle);
    return it == open_.end() ? nullptr : it->second;
  }
  std::shared_ptr<T> Remove(uint64_t handle) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    const auto it = open_.find(handle);
    if (it == open_.end()) return nullptr;
    auto removed = std::move(it->second);
    open_.erase(it);
    return removed;
  }
  void Clear() EXCLUDES(mutex_) {
    // Dropped after the lock is given back: a destructor may take long.
    std::unordered_map<uint64_t, std::shared_ptr<T>> dropped;
    MutexLock lock(mutex_);
    dropped.swap(open_);
  }
  size_t size() const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return open_.size();
  }

 private:
  mutable Mutex mutex_;
  uint64_t last_ GUARDED_BY(mutex_) = 0;
  std::unordered_map<uint64_t, std::shared_ptr<T>> open_ GUARDED_BY(mutex_);
};

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_FILES_HANDLE_TABLE_H_
