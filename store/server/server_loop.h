// The server's event loop: one thread that watches descriptors, keeps timers
// and runs what other threads post.
#ifndef VITRINE_STORE_SERVER_SERVER_LOOP_H_
#define VITRINE_STORE_SERVER_SERVER_LOOP_H_

#include <vitrine/result.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "schema/base/mutex.h"
#include "schema/base/unique_fd.h"

namespace vitrine::store::server {

// Shared by all callers of Post: a callback of the store may come after the
// server is gone; then Post returns false.
class EventLoop {
 public:
  using Clock = std::chrono::steady_clock;
  using Task = std::function<void()>;
  using Handler = std::function<void(uint32_t events)>;
  using Timer = std::pair<Clock::time_point, uint64_t>;

  static Result<std::shared_ptr<EventLoop>> Create();

  // --- any thread ---

  // Runs `task` on the loop's thread.  False: closed; `task` will not run.
  bool Post(Task task) EXCLUDES(mutex_);
  // The same, but at once if this is the loop's thread.
  bool RunOrPost(Task task) EXCLUDES(mutex_);
  // Makes Run return soon.
  void Stop() EXCLUDES(mutex_);

  // --- the loop's thread; before and after Run: one thread ---

  // Calls `handler` whenever `fd` has any of the epoll(7) `events`,
  // level-triggered.  The caller still owns `fd`.  Returns the watch.
  Result<uint64_t> Watch(int fd, uint32_t events, Handler handler);
  void SetEvents(uint64_t watch, uint32_t events);
  // No call of its handler follows.  Call it before `fd` is closed.
  void Unwatch(uint64_t watch);

  Timer StartTimer(Clock::time_point when, Task task);
  void CancelTimer(const Timer& timer);

  void Run();
  // Call it after Run: takes no more tasks, and runs those that were posted.
  void Close() EXCLUDES(mutex_);

 private:
  struct Watched {
    int fd;
    Handler handler;
  };

  EventLoop(UniqueFd epoll, UniqueFd wakeup)
      : epoll_(std::move(epoll)), wakeup_(std::move(wakeup)) {}

  int NextTimeoutMs() EXCLUDES(mutex_);
  void Dispatch(uint64_t watch, uint32_t events);
  void RunTimers();
  void RunPosted() EXCLUDES(mutex_);
  void ClearWakeup();
  bool OnLoopThread() const {
    return thread_.load() == std::this_thread::get_id();
  }

  const UniqueFd epoll_;
  const UniqueFd wakeup_;

  std::atomic<std::thread::id> thread_;
  std::atomic<bool> stopped_ = false;

  // The loop's thread only.
  uint64_t last_watch_ = 0;
  uint64_t last_timer_ = 0;
  std::unordered_map<uint64_t, std::shared_ptr<Watched>> watched_;
  std::map<Timer, Task> timers_;

  Mutex mutex_;
  bool closed_ GUARDED_BY(mutex_) = false;
  std::vector<Task> posted_ GUARDED_BY(mutex_);
};

}  // namespace vitrine::store::server

#endif  // VITRINE_STORE_SERVER_SERVER_LOOP_H_
