#include "tests/system/worker_process.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "tests/support/other_user.h"

namespace vitrine {
std::string WorkerProgram(const std::string& program) {
  return std::string(VITRINE_WORKER_DIR) + "/" + program;
}

WorkerProcess::WorkerProcess(const std::string& program,
                             const std::vector<std::string>& arguments,
                             uid_t uid) {
  const std::string path = WorkerProgram(program);
  std::vector<char*> argv = {const_cast<char*>(path.c_str())};
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    if (uid != 0 && !Become(uid)) ::_exit(126);
    ::execv(path.c_str(), argv.data());
    ::_exit(127);
  }
}

WorkerProcess::WorkerProcess(WorkerProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)) {}

WorkerProcess::~WorkerProcess() {
  if (pid_ > 0) Kill();
}

bool WorkerProcess::Running() const {
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
  return info.si_pid == 0;
}

int WorkerProcess::Wait() {
  int status = 0;
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void WorkerProcess::Kill() {
  ::kill(pid_, SIGKILL);
  (void)Wait();
}

}  // namespace vitrine
