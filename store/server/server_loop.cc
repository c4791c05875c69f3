#include "store/server/server_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace vitrine::store::server {
namespace {

constexpr uint64_t kWakeupWatch = 0;
constexpr size_t kEventsPerTurn = 64;
// For later timers the loop wakes up in between.
constexpr std::chrono::milliseconds kLongestSleep(60'000);

}  // namespace

Result<std::shared_ptr<EventLoop>> EventLoop::Create() {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return ErrnoError("epoll_create1", errno);
  UniqueFd wakeup(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wakeup.valid()) return ErrnoError("eventfd", errno);
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = kWakeupWatch;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wakeup.get(), &event) != 0) {
    return ErrnoError("epoll_ctl", errno);
  }
  return std::shared_ptr<EventLoop>(
      new EventLoop(std::move(epoll), std::move(wakeup)));
}

bool EventLoop::Post(Task task) {
  bool wake = false;
  {
    MutexLock lock(mutex_);
    if (closed_) return false;
    // The loop checks for tasks before each sleep, so its own thread need not
    // wake it, and one wake-up is enough for all tasks that are posted until
    // then.
    wake = posted_.empty() && !OnLoopThread();
    posted_.push_back(std::move(task));
  }
  if (wake) ::eventfd_write(wakeup_.get(), 1);
  return true;
}

bool EventLoop::RunOrPost(Task task) {
  if (!OnLoopThread()) return Post(std::move(task));
  task();
  return true;
}

void EventLoop::Stop() {
  stopped_ = true;
  ::eventfd_write(wakeup_.get(), 1);
}

Result<uint64_t> EventLoop::Watch(int fd, uint32_t events, Handler handler) {
  const uint64_t watch = ++last_watch_;
  epoll_event event = {};
  event.events = events;
  event.data.u64 = watch;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return ErrnoError("epoll_ctl", errno);
  }
  watched_.emplace(watch, std::make_shared<Watched>(Watched{
                              .fd = fd, .handler = std::move(handler)}));
  return watch;
}

void EventLoop::SetEvents(uint64_t watch, uint32_t events) {
  const auto found = watched_.find(watch);
  if (found == watched_.end()) return;
  epoll_event event = {};
  event.events = events;
  event.data.u64 = watch;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, found->second->fd, &event);
}

void EventLoop::Unwatch(uint64_t watch) {
  const auto found = watched_.find(watch);
  if (found == watched_.end()) return;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second->fd, nullptr);
  watched_.erase(found);
}

EventLoop::Timer EventLoop::StartTimer(Clock::time_point when, Task task) {
  const Timer timer(when, ++last_timer_);
  timers_.emplace(timer, std::move(task));
  return timer;
}

void EventLoop::CancelTimer(const Timer& timer) { timers_.erase(timer); }

void EventLoop::Run() {
  thread_ = std::this_thread::get_id();
  std::array<epoll_event, kEventsPerTurn> events;
  while (!stopped_) {
    const int count =
        ::epoll_wait(epoll_.get(), events.data(),
                     static_cast<int>(events.size()), NextTimeoutMs());
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<size_t>(i)];
      Dispatch(event.data.u64, event.events);
    }
    RunTimers();
    RunPosted();
  }
  thread_ = std::thread::id();
}

void EventLoop::Close() {
  {
    MutexLock lock(mutex_);
    closed_ = true;
  }
  RunPosted();
}

int EventLoop::NextTimeoutMs() {
  {
    MutexLock lock(mutex_);
    if (!posted_.empty()) return 0;
  }
  auto left = kLongestSleep;
  if (!timers_.empty()) {
    left =
        std::chrono::ceil<std::chrono::milliseconds>(std::min<Clock::duration>(
            left, timers_.begin()->first.first - Clock::now()));
  }
  return static_cast<int>(std::max<int64_t>(left.count(), 0));
}

void EventLoop::Dispatch(uint64_t watch, uint32_t events) {
  if (watch == kWakeupWatch) return ClearWakeup();
  const auto found = watched_.find(watch);
  // An event of the same turn may have ended the watch.
  if (found == watched_.end()) return;
  const std::shared_ptr<Watched> watched = found->second;
  watched->handler(events);
}

void EventLoop::RunTimers() {
  const Clock::time_point now = Clock::now();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    const Task task = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    task();
  }
}

void EventLoop::RunPosted() {
  std::vector<Task> tasks;
  {
    MutexLock lock(mutex_);
    tasks.swap(posted_);
  }
  for (const Task& task : tasks) task();
}

void EventLoop::ClearWakeup() {
  eventfd_t count = 0;
  ::eventfd_read(wakeup_.get(), &count);
}

}  // namespace vitrine::store::server
