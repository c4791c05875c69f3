// vitrined: one store, with its socket and its mount, until a signal ends it.
#include <fcntl.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>

#include "fusefs/daemon.h"
#include "fusefs/options.h"

namespace vitrine::fusefs {
namespace {

constexpr int kExitCannotStart = 2;
constexpr rlim_t kWantedDescriptors = 1 << 20;

int CannotStart(const Error& error) {
  std::fprintf(stderr, "vitrined: %s\n", error.message.c_str());
  return kExitCannotStart;
}

void SetUpLog(const std::string& level) {
  auto log = std::make_shared<spdlog::logger>(
      "vitrined", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  log->set_pattern("%Y-%m-%d %H:%M:%S.%e vitrined %l: %v");
  log->set_level(spdlog::level::from_str(level));
  log->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(log));
}

// A process that nohup(1) started has SIGHUP ignored, and it stays so.
bool IsIgnored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 &&
         action.sa_handler == SIG_IGN;
}

// The signals that end the store.  They are blocked in all threads, so that
// only WaitForEnd sees them, and a second one during the end does no harm.
sigset_t BlockSignals() {
  sigset_t ending;
  ::sigemptyset(&ending);
  ::sigaddset(&ending, SIGTERM);
  ::sigaddset(&ending, SIGINT);
  if (!IsIgnored(SIGHUP)) ::sigaddset(&ending, SIGHUP);
  ::pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  // A client that hangs up must not end the store.  Nor must SIGIO, by which
  // the kernel says that a process waits for a lease.
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGIO, SIG_IGN);
  return ending;
}

int WaitForEnd(const sigset_t& ending) {
  int signal = 0;
  while (::sigwait(&ending, &signal) != 0) continue;
  return signal;
}

// Opens descriptors 0 to 2 if they are closed.  Otherwise a segment or a socket
// would get such a number, and output to standard error would go there.
void OpenStandardStreams() {
  int fd = 0;
  do {
    fd = ::open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) ::close(fd);
}

// The store needs a descriptor for each client, reader and open file.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  rlimit more{std::max(limit.rlim_max, kWantedDescriptors),
              std::max(limit.rlim_max, kWantedDescriptors)};
  if (::setrlimit(RLIMIT_NOFILE, &more) == 0) return;
  more = {limit.rlim_max, limit.rlim_max};
  if (::setrlimit(RLIMIT_NOFILE, &more) != 0) {
    spdlog::warn("the limit of open files stays at {}: {}", limit.rlim_cur,
                 std::strerror(errno));
  }
}

int Run(const DaemonOptions& options) {
  OpenStandardStreams();
  SetUpLog(options.log_level);
  // Wider modes are set where a file is made.
  ::umask(022);
  const sigset_t ending = BlockSignals();
  RaiseDescriptorLimit();
  Result<std::unique_ptr<Daemon>> daemon = Daemon::Start(options);
  if (!daemon) return CannotStart(daemon.error());
  const std::string ready = (*daemon)->ReadyLine();
  std::printf("%s\n", ready.c_str());
  std::fflush(stdout);
  ::sd_notify(0, ("READY=1\nSTATUS=" + ready).c_str());
  const int signal = WaitForEnd(ending);
  spdlog::info("{}: ending", ::strsignal(signal));
  ::sd_notify(0, "STOPPING=1\nSTATUS=giving the memory back");
  daemon->reset();
  return 0;
}

}  // namespace
}  // namespace vitrine::fusefs

int main(int argc, char** argv) {
  const vitrine::Result<vitrine::fusefs::CommandLine> line =
      vitrine::fusefs::ParseCommandLine(
          {argv + std::min(argc, 1), argv + argc});
  if (!line) return vitrine::fusefs::CannotStart(line.error());
  if (line->text.empty()) return vitrine::fusefs::Run(line->options);
  std::fputs(line->text.c_str(), stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}
