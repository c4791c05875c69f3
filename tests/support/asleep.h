// Whether threads sleep.  A thread that sleeps has dealt with everything that
// was to make it act.
#ifndef VITRINE_TESTS_SUPPORT_ASLEEP_H_
#define VITRINE_TESTS_SUPPORT_ASLEEP_H_

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "tests/support/eventually.h"

namespace vitrine {

// How often `thread` (of any process) fell asleep until now; empty: it runs, or
// has ended.
inline std::string SleepOf(pid_t thread) {
  std::ifstream status("/proc/" + std::to_string(thread) + "/status");
  bool sleeps = false;
  for (std::string key, value; status >> key && std::getline(status, value);) {
    if (key == "State:") {
      sleeps = value.find_first_of("SD") == value.find_first_not_of(" \t");
    }
    if (key == "voluntary_ctxt_switches:") return sleeps ? value : "";
  }
  return "";
}

// True once `thread` sleeps and goes on to.
inline bool FallsAsleep(pid_t thread) {
  // Longer than a wait for a lock or for another program's turn usually is.
  constexpr std::chrono::milliseconds kDeep(10);
  std::string last;
  std::chrono::steady_clock::time_point since;
  return Eventually([&] {
    const std::string sleep = SleepOf(thread);
    const auto now = std::chrono::steady_clock::now();
    if (sleep != std::exchange(last, sleep)) since = now;
    return !sleep.empty() && now - since >= kDeep;
  });
}

// The thread of process `pid` with this name; 0: there is none.
inline pid_t FindThread(pid_t pid, const std::string& name) {
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  std::error_code ignored;
  for (const auto& task : std::filesystem::directory_iterator(tasks, ignored)) {
    std::string found;
    std::getline(std::ifstream(task.path() / "comm") >> std::ws, found);
    if (found == name) return std::stoi(task.path().filename());
  }
  return 0;
}

// True once no other thread of this process runs, so that none is in malloc.  A
// thread that wakes every millisecond counts while it sleeps.
inline bool OthersSleep() {
  return Eventually([] {
    for (const auto& task :
         std::filesystem::directory_iterator("/proc/self/task")) {
      const pid_t thread = std::stoi(task.path().filename());
      if (thread != ::gettid() && SleepOf(thread).empty()) return false;
    }
    return true;
  });
}

// A thread whose sleep a test can see.
class ObservedThread {
 public:
  explicit ObservedThread(std::function<void()> body)
      : thread_([this, body = std::move(body)] {
          id_ = ::gettid();
          id_.notify_all();
          body();
        }) {
    id_.wait(0);
  }
  ~ObservedThread() { Join(); }

  pid_t id() const { return id_; }
  // As above.
  bool FallsAsleep() const { return vitrine::FallsAsleep(id_); }
  void Join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::atomic<pid_t> id_ = 0;
  std::thread thread_;  // Last: it uses the above.
};

}  // namespace vitrine

#endif  // VITRINE_TESTS_SUPPORT_ASLEEP_H_
