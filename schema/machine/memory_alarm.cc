#include "schema/machine/memory_alarm.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "schema/machine/cgroup_memory.h"

namespace vitrine::machine {
namespace {

// A tenth of two seconds: ordinary users may ask for whole multiples of those.
constexpr char kStalls[] = "some 200000 2000000";

// memory.events changes when the cgroup meets a limit.
constexpr const char* kChanging[] = {
    "/memory.max", "/memory.high", "/memory.events", "/memory.limit_in_bytes"};

void Drain(int fd) {
  std::array<char, 4096> events;
  while (::read(fd, events.data(), events.size()) > 0) {
  }
}

}  // namespace

Result<MemoryAlarm> MemoryAlarm::Make(const std::string& root) {
  MemoryAlarm alarm;
  alarm.stop_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!alarm.stop_.valid()) return ErrnoError("eventfd", errno);
  alarm.changes_ = UniqueFd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  for (const MemoryCgroup& cgroup : ListMemoryCgroups(root)) {
    alarm.WatchCgroup(cgroup.directory);
  }
  alarm.WatchStalls(root + "/proc/pressure/memory");
  return alarm;
}

void MemoryAlarm::WatchCgroup(const std::string& directory) {
  if (changes_.valid()) {
    for (const char* name : kChanging) {
      // A file that is not there does not change.
      static_cast<void>(::inotify_add_watch(
          changes_.get(), (directory + name).c_str(), IN_MODIFY));
    }
  }
  WatchStalls(directory + "/memory.pressure");
}

void MemoryAlarm::WatchStalls(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return;
  if (::write(fd.get(), kStalls, sizeof(kStalls)) !=
      static_cast<ssize_t>(sizeof(kStalls))) {
    return;  // Without a trigger, poll would return at once.
  }
  stalls_.push_back(std::move(fd));
}

void MemoryAlarm::Wait(std::chrono::milliseconds longest) {
  std::vector<pollfd> waits = {{stop_.get(), POLLIN, 0}};
  if (changes_.valid()) waits.push_back({changes_.get(), POLLIN, 0});
  for (const UniqueFd& stall : stalls_) {
    waits.push_back({stall.get(), POLLPRI, 0});
  }
  const int ready =
      ::poll(waits.data(), waits.size(), static_cast<int>(longest.count()));
  if (changes_.valid()) Drain(changes_.get());
  if (ready <= 0) return;
  // The cgroup of a trigger may have been removed.
  const size_t first = waits.size() - stalls_.size();
  for (size_t i = stalls_.size(); i-- > 0;) {
    if ((waits[first + i].revents & (POLLERR | POLLNVAL)) == 0) continue;
    stalls_.erase(stalls_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void MemoryAlarm::Stop() const { ::eventfd_write(stop_.get(), 1); }

}  // namespace vitrine::machine
