// std::mutex and friends with the annotations that clang's -Wthread-safety
// checks.  Spelling of the macros: clang's "Thread Safety Analysis" page.
#ifndef VITRINE_SCHEMA_BASE_MUTEX_H_
#define VITRINE_SCHEMA_BASE_MUTEX_H_

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define VITRINE_TSA(x) __attribute__((x))
#else
#define VITRINE_TSA(x)
#endif

#define CAPABILITY(x) VITRINE_TSA(capability(x))
#define SCOPED_CAPABILITY VITRINE_TSA(scoped_lockable)
#define GUARDED_BY(x) VITRINE_TSA(guarded_by(x))
#define PT_GUARDED_BY(x) VITRINE_TSA(pt_guarded_by(x))
#define REQUIRES(...) VITRINE_TSA(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) VITRINE_TSA(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) VITRINE_TSA(acquire_capability(__VA_ARGS__))
#define RELEASE(...) VITRINE_TSA(release_capability(__VA_ARGS__))
#define ACQUIRED_BEFORE(...) VITRINE_TSA(acquired_before(__VA_ARGS__))
#define ACQUIRED_AFTER(...) VITRINE_TSA(acquired_after(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS VITRINE_TSA(no_thread_safety_analysis)

namespace vitrine {

class CAPABILITY("mutex") Mutex {
 public:
  void Lock() ACQUIRE() { mutex_.lock(); }
  void Unlock() RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) {
    mutex_.Lock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;
  ~MutexLock() RELEASE() { mutex_.Unlock(); }

 private:
  Mutex& mutex_;
};

// Wakes may be spurious: wait in a loop.
class CondVar {
 public:
  void Wait(Mutex& mutex) REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // False: `deadline` has passed.
  bool WaitUntil(Mutex& mutex, std::chrono::steady_clock::time_point deadline)
      REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const auto status = condition_.wait_until(lock, deadline);
    lock.release();
    return status == std::cv_status::no_timeout;
  }
  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace vitrine

#endif  // VITRINE_SCHEMA_BASE_MUTEX_H_
