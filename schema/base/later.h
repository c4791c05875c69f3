#ifndef VITRINE_SCHEMA_BASE_LATER_H_
#define VITRINE_SCHEMA_BASE_LATER_H_

#include <functional>
#include <optional>
#include <utility>

#include "schema/base/mutex.h"

namespace vitrine {

// A result that may come at once or later, and the function that consumes it.
// Arrive is called once.  Take returns the result; or Then runs its function,
// on the thread that came last.  Thread-safe.
template <typename T>
class Later {
 public:
  void Arrive(T result) EXCLUDES(mutex_) {
    std::function<void(T)> then;
    {
      MutexLock lock(mutex_);
      if (!then_) {
        result_ = std::move(result);
        return;
      }
      then = std::move(then_);
    }
    then(std::move(result));
  }
  // Empty: it has not come yet.
  std::optional<T> Take() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return std::exchange(result_, std::nullopt);
  }
  void Then(std::function<void(T)> then) EXCLUDES(mutex_) {
    std::optional<T> result;
    {
      MutexLock lock(mutex_);
      if (!result_) {
        then_ = std::move(then);
        return;
      }
      result = std::move(result_);
    }
    then(*std::move(result));
  }

 private:
  Mutex mutex_;
  std::optional<T> result_ GUARDED_BY(mutex_);
  std::function<void(T)> then_ GUARDED_BY(mutex_);
};

}  // namespace vitrine

#endif  // VITRINE_SCHEMA_BASE_LATER_H_
