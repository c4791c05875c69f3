#ifndef VITRINE_STORE_TIERS_HANDLE_POOL_H_
#define VITRINE_STORE_TIERS_HANDLE_POOL_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "schema/base/mutex.h"
#include "store/tiers/external_store.h"

namespace vitrine::store {

// Handles of one external store, made as they are needed.  Thread-safe.
class HandlePool {
 public:
  HandlePool(std::string url, size_t most)
      : url_(std::move(url)), unmade_(most) {}

  // Calls `use` with a handle that nobody else has meanwhile; waits for one if
  // all are in use.  Returns what `use` does, or why there is no connection.
  using Use = std::function<Status(ExternalStoreHandle* handle)>;
  Status With(const Use& use) EXCLUDES(mutex_);

 private:
  using Handle = std::unique_ptr<ExternalStoreHandle>;
  // Null: one that is still to be made.
  Handle Take() EXCLUDES(mutex_);
  void GiveBack(Handle handle) EXCLUDES(mutex_);

  const std::string url_;

  Mutex mutex_;
  CondVar given_back_;
  std::vector<Handle> idle_ GUARDED_BY(mutex_);
  size_t unmade_ GUARDED_BY(mutex_);
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TIERS_HANDLE_POOL_H_
