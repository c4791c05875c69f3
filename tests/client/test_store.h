// A real vitrined for one test.
#ifndef VITRINE_TESTS_CLIENT_TEST_STORE_H_
#define VITRINE_TESTS_CLIENT_TEST_STORE_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vitrine/client.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "schema/base/sanitizers.h"
#include "tests/client/scratch_dir.h"
#include "tests/support/eventually.h"

namespace vitrine {

// Runs without a mount, in directories of its own, until destruction.
class TestStore {
 public:
  explicit TestStore(std::string capacity = "64M")
      : capacity_(std::move(capacity)) {
    ::mkdir(memory_dir().c_str(), 0755);
    Start();
  }
  TestStore(const TestStore&) = delete;
  TestStore& operator=(const TestStore&) = delete;
  ~TestStore() { Signal(SIGTERM); }

  std::string socket() const { return dir_ / "socket"; }
  std::string memory_dir() const { return dir_ / "memory"; }
  pid_t pid() const { return pid_; }

  void Start() {
    std::vector<std::string> arguments = {
        VITRINED_PROGRAM, "--capacity",  capacity_,      "--socket",
        socket(),         "--state-dir", dir_ / "state", "--memory-dir",
        memory_dir(),     "--log-level", "warn"};
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    const std::string log = dir_ / "log";
    ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(),
                                       O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    const int failed =
        ::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ASSERT_EQ(failed, 0) << argv[0];
    WaitUntilReady();
  }
  void Kill() { Signal(SIGKILL); }
  // Ends it with `signal` and waits for its end.
  void Signal(int signal) {
    if (pid_ <= 0) return;
    ::kill(pid_, signal);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

  ConnectOptions Options() const {
    ConnectOptions options;
    options.socket_path = socket();
    options.name = "test";
    return options;
  }
  // Ends the test program if there is no store.
  Client Connect() const {
    auto client = Client::Connect(Options());
    if (!client) throw std::runtime_error(client.error().ToString());
    return *client;
  }

 private:
  std::string Log() const {
    std::ifstream file(dir_ / "log");
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  bool IsReady() const { return Log().find("ready") != std::string::npos; }
  void WaitUntilReady() {
    const auto ready_or_ended = [this] {
      return IsReady() || ::waitpid(pid_, nullptr, WNOHANG) == pid_;
    };
    Eventually(ready_or_ended, std::chrono::seconds(60));
    ASSERT_TRUE(IsReady()) << "vitrined did not start: " << Log();
  }

  const std::string capacity_;
  ScratchDir dir_;
  pid_t pid_ = -1;
};

// What went wrong; Code{}: nothing did.
template <typename T>
Code CodeOf(const Result<T>& result) {
  return result ? Code{} : result.error().code;
}

inline ObjectId Id(const std::string& text) {
  return *ObjectId::FromText(text);
}

inline std::span<const std::byte> BytesOf(const std::string& text) {
  return std::as_bytes(std::span(text));
}

inline std::string TextOf(const Object& object) {
  const auto bytes = object.bytes();
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

// Text of `size` bytes that depends on `seed` all along.
inline std::string Content(uint64_t seed, size_t size) {
  std::string text(size, '\0');
  uint64_t state = seed * 2 + 1;
  for (char& c : text) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    c = static_cast<char>(state >> 56);
  }
  return text;
}

}  // namespace vitrine

#endif  // VITRINE_TESTS_CLIENT_TEST_STORE_H_
