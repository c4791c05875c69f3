#include "client/base/fork.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "schema/base/mutex.h"
#include "schema/base/unique_fd.h"

namespace vitrine {
namespace {

std::atomic<uint64_t> fork_generation{0};
std::atomic<uint64_t> forks_begun{0};

// Listeners and descriptors that forks concern.  There is one registry for each
// process, as there is one list of fork handlers; it is never destroyed.
class ForkRegistry {
 public:
  static ForkRegistry& Get() {
    static auto* const registry = new ForkRegistry();
    return *registry;
  }

  void Add(ForkListener* listener) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    listeners_.push_back(listener);
  }
  void Remove(ForkListener* listener) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    std::erase(listeners_, listener);
  }
  void Add(int fd) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    fds_.push_back(fd);
  }
  // Also closes it under the lock, so that no fork comes in between.
  void Remove(UniqueFd fd) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    const auto found = std::find(fds_.begin(), fds_.end(), fd.get());
    if (found != fds_.end()) fds_.erase(found);
    const UniqueFd closed = std::move(fd);
  }
  void BeginDelay() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    ++delays_;
  }
  void EndDelay() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (--delays_ == 0) no_delay_.NotifyAll();
  }

 private:
  ForkRegistry() { ::pthread_atfork(&Before, &InParent, &InChild); }

  static void Before() NO_THREAD_SAFETY_ANALYSIS {
    ForkRegistry& self = Get();
    self.mutex_.Lock();
    while (self.delays_ > 0) self.no_delay_.Wait(self.mutex_);
    forks_begun.fetch_add(1, std::memory_order_relaxed);
    for (ForkListener* listener : self.listeners_) listener->BeforeFork();
  }

  static void InParent() NO_THREAD_SAFETY_ANALYSIS {
    ForkRegistry& self = Get();
    for (ForkListener* listener : self.listeners_) {
      listener->AfterForkInParent();
    }
    self.mutex_.Unlock();
  }

  static void InChild() NO_THREAD_SAFETY_ANALYSIS {
    ForkRegistry& self = Get();
    fork_generation.fetch_add(1, std::memory_order_relaxed);
    self.ReplaceDescriptors();
    for (ForkListener* listener : self.listeners_) {
      listener->AfterForkInChild();
    }
    self.mutex_.Unlock();
  }

  void ReplaceDescriptors() NO_THREAD_SAFETY_ANALYSIS {
    if (fds_.empty()) return;
    UniqueFd dud(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!dud.valid()) {  // No number is free: closing one of theirs frees one.
      ::close(fds_.front());
      dud = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    }
    for (const int fd : fds_) {
      if (fd != dud.get()) ::dup3(dud.get(), fd, O_CLOEXEC);
    }
    const bool taken =
        std::find(fds_.begin(), fds_.end(), dud.get()) != fds_.end();
    if (taken) (void)dud.release();
  }

  Mutex mutex_;
  CondVar no_delay_;
  int delays_ GUARDED_BY(mutex_) = 0;
  std::vector<ForkListener*> listeners_ GUARDED_BY(mutex_);
  std::vector<int> fds_ GUARDED_BY(mutex_);
};

}  // namespace

uint64_t ForkGeneration() {
  return fork_generation.load(std::memory_order_relaxed);
}

uint64_t ForksBegun() { return forks_begun.load(std::memory_order_relaxed); }

ForkRegistration::ForkRegistration(ForkListener* listener)
    : listener_(listener) {
  ForkRegistry::Get().Add(listener_);
}
ForkRegistration::~ForkRegistration() { ForkRegistry::Get().Remove(listener_); }

PrivateFd::PrivateFd(UniqueFd fd) : fd_(std::move(fd)) {
  if (fd_.valid()) ForkRegistry::Get().Add(fd_.get());
}
PrivateFd& PrivateFd::operator=(PrivateFd&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}
PrivateFd::~PrivateFd() {
  if (fd_.valid()) ForkRegistry::Get().Remove(std::move(fd_));
}

ForkDelay::ForkDelay() { ForkRegistry::Get().BeginDelay(); }
ForkDelay::~ForkDelay() { ForkRegistry::Get().EndDelay(); }

}  // namespace vitrine
