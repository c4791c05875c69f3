// A program of tests/system/programs, run beside the test.
#ifndef VITRINE_TESTS_SYSTEM_WORKER_PROCESS_H_
#define VITRINE_TESTS_SYSTEM_WORKER_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace vitrine {

// Where `program` of tests/system/programs is.
std::string WorkerProgram(const std::string& program);

// Runs until it ends by itself; killed at destruction.
class WorkerProcess {
 public:
  // `program`: name within tests/system/programs.  `uid` not zero: it runs as
  // this ordinary user, and in the group of that number.
  WorkerProcess(const std::string& program,
                const std::vector<std::string>& arguments, uid_t uid = 0);
  WorkerProcess(WorkerProcess&& other) noexcept;
  WorkerProcess& operator=(WorkerProcess&&) = delete;
  ~WorkerProcess();

  pid_t pid() const { return pid_; }
  // False: it has ended; Wait says how.
  bool Running() const;
  // Exit status; 128 + the signal that killed it.
  int Wait();
  void Kill();

 private:
  pid_t pid_;
};

}  // namespace vitrine

#endif  // VITRINE_TESTS_SYSTEM_WORKER_PROCESS_H_
