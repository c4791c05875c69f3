#include "tests/system/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace vitrine {
namespace {

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Pipe MakePipe() {
  std::array<int, 2> fds;
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) std::abort();
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

}  // namespace

void ChildProcess::Parent::Say() const {
  if (::write(to_parent_, ".", 1) != 1) ::_exit(3);
}

void ChildProcess::Parent::Await() const {
  char word;
  if (::read(from_parent_, &word, 1) != 1) ::_exit(4);
}

ChildProcess::ChildProcess(const Body& body) {
  Pipe up = MakePipe();
  Pipe down = MakePipe();
  pid_ = ::fork();
  if (pid_ < 0) std::abort();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    up.read_end = UniqueFd();
    down.write_end = UniqueFd();
    const Parent parent(up.write_end.get(), down.read_end.get());
    ::_exit(body(parent) ? 0 : 1);
  }
  from_child_ = std::move(up.read_end);
  to_child_ = std::move(down.write_end);
}

ChildProcess::~ChildProcess() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

bool ChildProcess::AwaitWord() {
  char word;
  return ::read(from_child_.get(), &word, 1) == 1;
}

void ChildProcess::Tell() {
  // A child that is gone is found by the next AwaitWord or Succeeded.
  (void)!::write(to_child_.get(), ".", 1);
}

bool ChildProcess::Succeeded() {
  int status = 0;
  if (::waitpid(std::exchange(pid_, -1), &status, 0) < 0) return false;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool As(uid_t uid, const std::function<bool()>& body) {
  ChildProcess child([&](const auto&) {
    CHILD_EXPECT(Become(uid));
    return body();
  });
  return child.Succeeded();
}

}  // namespace vitrine
