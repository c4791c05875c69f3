#include "store/base/worker_pool.h"

#include <system_error>
#include <utility>

namespace vitrine::store {

Result<std::unique_ptr<WorkerPool>> WorkerPool::Start(size_t thread_count) {
  std::unique_ptr<WorkerPool> pool(new WorkerPool());
  try {
    for (size_t i = 0; i < thread_count; ++i) {
      pool->threads_.emplace_back(&WorkerPool::Work, pool.get());
    }
  } catch (const std::system_error& error) {
    return Error{Code::kUnavailable,
                 std::string("cannot start a thread: ") + error.what()};
  }
  return pool;
}

void WorkerPool::Run(Task task) {
  {
    MutexLock lock(mutex_);
    if (!ended_) {
      tasks_.push_back(std::move(task));
      changed_.NotifyOne();
      return;
    }
  }
  task();
}

void WorkerPool::Shutdown() {
  {
    MutexLock lock(mutex_);
    ended_ = true;
    changed_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

size_t WorkerPool::queued() const {
  MutexLock lock(mutex_);
  return tasks_.size();
}

void WorkerPool::Work() {
  Task task;
  while (Next(&task)) {
    task();
    task = nullptr;  // Destroys its captures before this thread sleeps.
  }
}

bool WorkerPool::Next(Task* task) {
  MutexLock lock(mutex_);
  while (tasks_.empty() && !ended_) changed_.Wait(mutex_);
  if (tasks_.empty()) return false;
  *task = std::move(tasks_.front());
  tasks_.pop_front();
  return true;
}

}  // namespace vitrine::store
