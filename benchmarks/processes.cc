#include "benchmarks/processes.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "benchmarks/die.h"
#include "benchmarks/measure.h"

namespace vitrine {
namespace {

bool EndedWell(int status) {
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

Processes::~Processes() {
  for (const pid_t pid : pids_) ::kill(pid, SIGKILL);
  for (const pid_t pid : pids_) ::waitpid(pid, nullptr, 0);
}

void Processes::Start(const std::function<void()>& body) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) DieOfErrno("fork");
  if (pid > 0) {
    pids_.push_back(pid);
    return;
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  body();
  ::_exit(0);
}

void Processes::CheckAlive() {
  std::erase_if(pids_, [](pid_t pid) {
    int status = 0;
    if (::waitpid(pid, &status, WNOHANG) != pid) return false;
    if (!EndedWell(status)) Die("a process of the workload failed");
    return true;
  });
}

void Processes::WaitForAll() {
  for (const pid_t pid : pids_) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0) {
      if (errno != EINTR) DieOfErrno("waitpid");
    }
    if (!EndedWell(status)) Die("a process of the workload failed");
  }
  pids_.clear();
}

void* AllocateShared(size_t size_bytes) {
  void* data = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) DieOfErrno("mmap");
  return data;
}

void WaitUntilAtLeast(const std::atomic<uint64_t>& word, uint64_t value) {
  const int64_t end = NowNs() + 20'000'000'000;
  while (word.load(std::memory_order_acquire) < value) {
    if (NowNs() > end) Die("another process of the workload does not answer");
    SleepMicroseconds(20);
  }
}

void SleepMicroseconds(int64_t count) {
  std::this_thread::sleep_for(std::chrono::microseconds(count));
}

}  // namespace vitrine
