// A real vitrined in directories of its own, for whole-system tests.
#ifndef VITRINE_TESTS_SYSTEM_STORE_PROCESS_H_
#define VITRINE_TESTS_SYSTEM_STORE_PROCESS_H_

#include <sys/types.h>
#include <vitrine/client.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "schema/base/unique_fd.h"

namespace vitrine {

struct StoreProcessOptions {
  std::string capacity = "256M";
  bool mount = true;
  std::string passthrough = "auto";
  // Not zero: the store runs as this ordinary user.
  uid_t uid = 0;
  // Not zero: its limit of open files, which it cannot raise.
  uint64_t most_descriptors = 0;
  std::vector<std::string> more;  // Further arguments of vitrined.
};

// Starts in Start, stops (SIGTERM) at destruction, and removes its
// directories.  One thread.
class StoreProcess {
 public:
  explicit StoreProcess(StoreProcessOptions options);
  StoreProcess(const StoreProcess&) = delete;
  StoreProcess& operator=(const StoreProcess&) = delete;
  ~StoreProcess();

  // For the next Start.  "--capacity=5M" takes the place of the capacity.
  void AddArguments(const std::vector<std::string>& more);
  // Runs vitrined and waits for its ready line.  The error has what it said.
  Status Start();
  // Exit status of vitrined after SIGTERM; -1: a signal killed it, ours if it
  // took a minute.
  int Stop();
  void Kill();  // SIGKILL.

  pid_t pid() const { return pid_; }
  const std::string& dir() const { return dir_; }
  std::string socket() const { return dir_ + "/socket"; }
  std::string state_dir() const { return dir_ + "/state"; }
  std::string mount() const { return dir_ + "/mount"; }
  std::string unsealed(const std::string& id) const {
    return mount() + "/unsealed/" + id;
  }
  std::string sealed(const std::string& id) const {
    return mount() + "/sealed/" + id;
  }
  const std::string& ready_line() const { return ready_line_; }

  Client Connect(const std::string& name = "test") const;
  nlohmann::json GetStatus() const;
  // What `vitrine` with these arguments prints; `exit_code` may be null.
  std::string Run(const std::vector<std::string>& arguments,
                  int* exit_code = nullptr) const;
  size_t OpenDescriptors() const;

 private:
  std::vector<std::string> Arguments() const;
  Status WaitUntilReady();

  StoreProcessOptions options_;
  std::string dir_;
  pid_t pid_ = -1;
  UniqueFd output_;
  std::string ready_line_;
};

// Directory of the programs that were built with the tests.
std::string ProgramDir();

// Runs a shell command; returns its exit status and, in `output` if it is not
// null, what it wrote to stdout and stderr.
int Shell(const std::string& command, std::string* output = nullptr);

// Why this process cannot become others, or `uid` cannot run our programs;
// empty: that can be.
std::string WhyNotRoot();
std::string WhyNoUser(uid_t uid);

// Why a mount (with passthrough) cannot be had here; empty: it can.
std::string WhyNoMount();
std::string WhyNoPassthrough();

}  // namespace vitrine

// Skips the test where something is missing; under CI=true that is a failure.
#define VITRINE_REQUIRE(why_not)                             \
  do {                                                       \
    const std::string vitrine_why = (why_not);               \
    if (!vitrine_why.empty()) {                              \
      const char* ci = std::getenv("CI");                    \
      if (ci != nullptr && std::string_view(ci) == "true") { \
        FAIL() << vitrine_why;                               \
      }                                                      \
      GTEST_SKIP() << vitrine_why;                           \
    }                                                        \
  } while (false)

#endif  // VITRINE_TESTS_SYSTEM_STORE_PROCESS_H_
