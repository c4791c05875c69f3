#include "fusefs/files/task_thread.h"

#include <pthread.h>

namespace vitrine::fusefs {

TaskThread::TaskThread(const char* name) : thread_([this] { Loop(); }) {
  pthread_setname_np(thread_.native_handle(), name);
}

void TaskThread::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyOne();
  if (thread_.joinable()) thread_.join();
}

bool TaskThread::Run(std::function<void()> task) {
  return Add(Clock::time_point::min(), std::move(task));
}

bool TaskThread::RunAfter(Clock::duration delay, std::function<void()> task) {
  return Add(Clock::now() + delay, std::move(task));
}

bool TaskThread::Add(Clock::time_point when, std::function<void()> task) {
  {
    MutexLock lock(mutex_);
    if (stopping_) return false;
    tasks_.emplace(when, std::move(task));
  }
  changed_.NotifyOne();
  return true;
}

void TaskThread::Loop() {
  for (;;) {
    std::function<void()> task;
    {
      MutexLock lock(mutex_);
      while (tasks_.empty() || tasks_.begin()->first > Clock::now()) {
        if (stopping_) return;
        if (tasks_.empty()) {
          changed_.Wait(mutex_);
        } else {
          changed_.WaitUntil(mutex_, tasks_.begin()->first);
        }
      }
      task = std::move(tasks_.begin()->second);
      tasks_.erase(tasks_.begin());
    }
    task();
  }
}

}  // namespace vitrine::fusefs
