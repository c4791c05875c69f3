#ifndef VITRINE_FUSEFS_FILES_TASK_THREAD_H_
#define VITRINE_FUSEFS_FILES_TASK_THREAD_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <thread>
#include <utility>

#include "schema/base/mutex.h"

namespace vitrine::fusefs {

// One thread that runs tasks at their times; tasks with the same time run in
// the order in which they were added.  Thread-safe.
class TaskThread {
 public:
  using Clock = std::chrono::steady_clock;

  // `name` shows in ps; at most 15 bytes.
  explicit TaskThread(const char* name);
  ~TaskThread() { Stop(); }
  TaskThread(const TaskThread&) = delete;
  TaskThread& operator=(const TaskThread&) = delete;

  // False: stopped; the task is dropped.
  bool Run(std::function<void()> task) EXCLUDES(mutex_);
  bool RunAfter(Clock::duration delay, std::function<void()> task)
      EXCLUDES(mutex_);
  // Runs the tasks that are due, drops the others, and joins the thread.  Not
  // from a task.
  void Stop() EXCLUDES(mutex_);

 private:
  bool Add(Clock::time_point when, std::function<void()> task) EXCLUDES(mutex_);
  void Loop() EXCLUDES(mutex_);

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  // Tasks without delay have the earliest time there is.
  std::multimap<Clock::time_point, std::function<void()>> tasks_
      GUARDED_BY(mutex_);
  std::thread thread_;  // Last: it uses the others.
};

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_FILES_TASK_THREAD_H_
