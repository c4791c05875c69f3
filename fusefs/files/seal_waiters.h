#ifndef VITRINE_FUSEFS_FILES_SEAL_WAITERS_H_
#define VITRINE_FUSEFS_FILES_SEAL_WAITERS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "fusefs/base/store_names.h"
#include "schema/base/mutex.h"

namespace vitrine::fusefs {

// The opens under wait/ that wait for an id to be sealed.  Each `wake` is
// returned at most once, by Take, and never after Remove.  Thread-safe; calls
// no other code.
class SealWaiters {
 public:
  using Wake = std::function<void()>;

  // Returns the waiter's number, never 0.
  uint64_t Add(const ObjectId& id, Wake wake) EXCLUDES(mutex_);
  // False: Take returned it before.
  bool Remove(const ObjectId& id, uint64_t waiter) EXCLUDES(mutex_);
  // Removes and returns all waiters for `id`.
  std::vector<Wake> Take(const ObjectId& id) EXCLUDES(mutex_);
  size_t size() const EXCLUDES(mutex_);

 private:
  struct Waiter {
    uint64_t number;
    Wake wake;
  };

  mutable Mutex mutex_;
  uint64_t last_ GUARDED_BY(mutex_) = 0;
  std::unordered_map<std::string, std::vector<Waiter>> waiters_
      GUARDED_BY(mutex_);
};

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_FILES_SEAL_WAITERS_H_
