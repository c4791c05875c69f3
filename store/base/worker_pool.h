#ifndef VITRINE_STORE_BASE_WORKER_POOL_H_
#define VITRINE_STORE_BASE_WORKER_POOL_H_

#include <vitrine/result.h>

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "schema/base/mutex.h"

namespace vitrine::store {

// A few threads that run tasks in the order in which they came.  Owns its
// threads.  Thread-safe.  Runs every task exactly once.
class WorkerPool {
 public:
  using Task = std::function<void()>;

  // kUnavailable: no thread could be started.
  static Result<std::unique_ptr<WorkerPool>> Start(size_t thread_count);
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  ~WorkerPool() { Shutdown(); }

  // After Shutdown: runs `task` at once, on this thread.
  void Run(Task task) EXCLUDES(mutex_);
  // Waits until all tasks so far are done and the threads have ended.  Must not
  // be called from a task.
  void Shutdown() EXCLUDES(mutex_);

  size_t queued() const EXCLUDES(mutex_);

 private:
  WorkerPool() = default;
  void Work() EXCLUDES(mutex_);
  // False: the pool has ended.
  bool Next(Task* task) EXCLUDES(mutex_);

  std::vector<std::thread> threads_;

  mutable Mutex mutex_;
  CondVar changed_;
  bool ended_ GUARDED_BY(mutex_) = false;
  std::deque<Task> tasks_ GUARDED_BY(mutex_);
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_BASE_WORKER_POOL_H_
