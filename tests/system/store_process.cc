#include "tests/system/store_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "tests/support/eventually.h"
#include "tests/system/child_process.h"

namespace vitrine {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kStartTime = std::chrono::seconds(60);
constexpr auto kStopTime = std::chrono::seconds(60);

[[noreturn]] void Exec(const std::vector<std::string>& arguments,
                       int output_fd) {
  ::dup2(output_fd, STDOUT_FILENO);
  ::dup2(output_fd, STDERR_FILENO);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

// Without the capability root would raise it again.
void LimitDescriptors(uint64_t most) {
  const rlimit limit = {most, most};
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0 ||
      ::prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE) != 0) {
    ::_exit(125);
  }
}

bool ProbeStarts(const StoreProcessOptions& options, std::string* why) {
  StoreProcess store(options);
  if (Status started = store.Start(); !started) {
    *why = started.error().message;
    return false;
  }
  return true;
}

}  // namespace

StoreProcess::StoreProcess(StoreProcessOptions options)
    : options_(std::move(options)) {
  const char* temp = std::getenv("TMPDIR");
  dir_ = std::string(temp != nullptr ? temp : "/tmp") + "/vitrine-test-XXXXXX";
  if (::mkdtemp(dir_.data()) == nullptr) std::abort();
  ::chmod(dir_.c_str(), 0755);
  if (options_.mount) ::mkdir(mount().c_str(), 0755);
  if (options_.uid != 0) {
    if (::chown(dir_.c_str(), options_.uid, options_.uid) != 0) std::abort();
    if (options_.mount &&
        ::chown(mount().c_str(), options_.uid, options_.uid) != 0) {
      std::abort();
    }
  }
}

StoreProcess::~StoreProcess() {
  if (pid_ > 0) Stop();
  // What a store that was killed, or did not stop, has left.
  if (options_.mount) ::umount2(mount().c_str(), MNT_DETACH);
  ::umount2((state_dir() + "/memory").c_str(), MNT_DETACH);
  std::error_code ignored;
  std::filesystem::remove_all(dir_, ignored);
}

std::vector<std::string> StoreProcess::Arguments() const {
  std::vector<std::string> arguments = {ProgramDir() + "/vitrined",
                                        "--capacity",
                                        options_.capacity,
                                        "--socket",
                                        socket(),
                                        "--state-dir",
                                        state_dir(),
                                        "--log-level",
                                        "warn"};
  if (options_.mount) {
    arguments.insert(arguments.end(), {"--mount", mount(), "--passthrough",
                                       options_.passthrough});
  }
  arguments.insert(arguments.end(), options_.more.begin(), options_.more.end());
  return arguments;
}

void StoreProcess::AddArguments(const std::vector<std::string>& more) {
  constexpr std::string_view kCapacity = "--capacity=";
  for (const std::string& argument : more) {
    if (argument.starts_with(kCapacity)) {
      options_.capacity = argument.substr(kCapacity.size());
    } else {
      options_.more.push_back(argument);
    }
  }
}

Status StoreProcess::Start() {
  std::array<int, 2> pipe_fds;
  if (::pipe2(pipe_fds.data(), O_CLOEXEC) != 0) {
    return ErrnoError("pipe", errno);
  }
  output_ = UniqueFd(pipe_fds[0]);
  UniqueFd write_end(pipe_fds[1]);
  const std::vector<std::string> arguments = Arguments();
  pid_ = ::fork();
  if (pid_ < 0) return ErrnoError("fork", errno);
  if (pid_ == 0) {
    if (options_.most_descriptors != 0) {
      LimitDescriptors(options_.most_descriptors);
    }
    if (options_.uid != 0 && !Become(options_.uid)) ::_exit(126);
    Exec(arguments, write_end.get());
  }
  write_end = UniqueFd();  // So that its end is seen.
  return WaitUntilReady();
}

Status StoreProcess::WaitUntilReady() {
  const auto deadline = Clock::now() + kStartTime;
  std::string said;
  while (Clock::now() < deadline) {
    pollfd wait{.fd = output_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, 100) <= 0) continue;
    std::array<char, 4096> buffer;
    const ssize_t got = ::read(output_.get(), buffer.data(), buffer.size());
    if (got <= 0) break;
    said.append(buffer.data(), static_cast<size_t>(got));
    const size_t ready = said.find(" ready: ");
    if (ready != said.npos && said.find('\n', ready) != said.npos) {
      ready_line_ = said;
      return Status();
    }
  }
  Stop();
  return Error{Code::kUnavailable, "vitrined did not start: " + said};
}

int StoreProcess::Stop() {
  if (pid_ <= 0) return -1;
  ::kill(pid_, SIGTERM);
  int status = 0;
  const auto ended = [&] { return ::waitpid(pid_, &status, WNOHANG) != 0; };
  if (!Eventually(ended, kStopTime)) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, &status, 0);
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void StoreProcess::Kill() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

Client StoreProcess::Connect(const std::string& name) const {
  auto client = Client::Connect({.socket_path = socket(), .name = name});
  if (!client) {
    std::fprintf(stderr, "%s\n", client.error().ToString().c_str());
    std::abort();
  }
  return *std::move(client);
}

nlohmann::json StoreProcess::GetStatus() const {
  Client client = Connect("status");
  auto text = client.GetStatus();
  return text ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
}

std::string StoreProcess::Run(const std::vector<std::string>& arguments,
                              int* exit_code) const {
  std::string command =
      "VITRINE_SOCKET='" + socket() + "' '" + ProgramDir() + "/vitrine'";
  for (const std::string& argument : arguments) {
    command += " '" + argument + "'";
  }
  std::string output;
  const int exited = Shell(command, &output);
  if (exit_code != nullptr) *exit_code = exited;
  return output;
}

size_t StoreProcess::OpenDescriptors() const {
  size_t count = 0;
  std::error_code ignored;
  const std::string path = "/proc/" + std::to_string(pid_) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(path, ignored)) {
    (void)entry;
    ++count;
  }
  return count;
}

std::string ProgramDir() {
  const char* set = std::getenv("VITRINE_PROGRAM_DIR");
  return set != nullptr ? set : VITRINE_DEFAULT_PROGRAM_DIR;
}

int Shell(const std::string& command, std::string* output) {
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "re");
  if (pipe == nullptr) return -1;
  std::array<char, 4096> buffer;
  size_t got = 0;
  while ((got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0) {
    if (output != nullptr) output->append(buffer.data(), got);
  }
  const int status = ::pclose(pipe);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string WhyNotRoot() {
  return ::geteuid() == 0 ? "" : "only root can become others";
}

// A build directory may be closed to ordinary users.
std::string WhyNoUser(uid_t uid) {
  if (std::string why = WhyNotRoot(); !why.empty()) return why;
  const std::string program = ProgramDir() + "/vitrined";
  const bool reaches =
      As(uid, [&] { return ::access(program.c_str(), X_OK) == 0; });
  return reaches ? "" : program + " is out of the reach of ordinary users";
}

std::string WhyNoMount() {
  static const std::string why = [] {
    std::string answer;
    ProbeStarts({.capacity = "32M", .passthrough = "off"}, &answer);
    return answer;
  }();
  return why;
}

std::string WhyNoPassthrough() {
  static const std::string why = [] {
    if (::geteuid() != 0) return std::string("passthrough needs root");
    std::string answer;
    ProbeStarts({.capacity = "32M", .passthrough = "on"}, &answer);
    return answer;
  }();
  return why;
}

}  // namespace vitrine
