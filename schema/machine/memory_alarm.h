// What the kernel tells at once of memory that becomes short.
#ifndef VITRINE_SCHEMA_MACHINE_MEMORY_ALARM_H_
#define VITRINE_SCHEMA_MACHINE_MEMORY_ALARM_H_

#include <vitrine/result.h>

#include <chrono>
#include <string>
#include <vector>

#include "schema/base/unique_fd.h"

namespace vitrine::machine {

// Rings when somebody writes a limit of our cgroup or of one above it, when one
// of them meets its limit, and when processes wait for memory (PSI).  Without
// these, where the kernel lacks them, only Wait's time ends a wait.
class MemoryAlarm {
 public:
  // `root` is the directory of proc and sys.
  static Result<MemoryAlarm> Make(const std::string& root = "/");

  // Waits for the alarm, for Stop, or for `longest`.  One thread.
  void Wait(std::chrono::milliseconds longest);
  // Ends this wait and all that follow.  From any thread.
  void Stop() const;

 private:
  MemoryAlarm() = default;

  void WatchCgroup(const std::string& directory);
  void WatchStalls(const std::string& path);

  UniqueFd stop_;
  UniqueFd changes_;              // inotify.
  std::vector<UniqueFd> stalls_;  // PSI triggers.
};

}  // namespace vitrine::machine

#endif  // VITRINE_SCHEMA_MACHINE_MEMORY_ALARM_H_
