#ifndef VITRINE_STORE_TIERS_CREW_H_
#define VITRINE_STORE_TIERS_CREW_H_

#include <vitrine/result.h>

#include <cstddef>
#include <functional>
#include <memory>

#include "store/base/worker_pool.h"

namespace vitrine::store {

// A few threads that help with the parts of a task.  Thread-safe: if several
// threads have tasks, each works on its own at least.
class Crew {
 public:
  explicit Crew(size_t helpers);

  // Calls `work` with each number below `count`, on several threads, of which
  // the caller's is one.  They begin in order.  After a failure no more begin;
  // it returns the first failure when all that began have ended.
  using Work = std::function<Status(size_t part)>;
  Status ForEach(size_t count, const Work& work);

 private:
  const size_t helpers_;
  const std::unique_ptr<WorkerPool> pool_;  // Null: nobody helps.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TIERS_CREW_H_
