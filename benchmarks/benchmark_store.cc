#include "benchmarks/benchmark_store.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "schema/base/unique_fd.h"

extern char** environ;

namespace vitrine {
namespace {

pid_t Spawn(const std::vector<std::string>& arguments, bool quiet) {
  std::vector<char*> words;
  words.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) {
    words.push_back(const_cast<char*>(argument.c_str()));
  }
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (quiet) {
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null",
                                     O_WRONLY, 0);
  }
  pid_t pid;
  const int error =
      ::posix_spawnp(&pid, words[0], &actions, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) Die(ErrnoError(arguments[0], error).ToString());
  return pid;
}

int WaitForEnd(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) Die(ErrnoError("waitpid", errno).ToString());
  }
  return status;
}

// The `huge=` option of the file system on which `path` is, from the longest
// mount point that leads to it; "never" if it has none.
std::string HugeOptionOf(const std::string& path) {
  std::ifstream mounts("/proc/self/mounts");
  std::string line;
  std::string option = "never";
  size_t longest = 0;
  while (std::getline(mounts, line)) {
    std::istringstream fields(line);
    std::string source, point, type, options;
    fields >> source >> point >> type >> options;
    if (path.rfind(point, 0) != 0 || point.size() < longest) continue;
    longest = point.size();
    const size_t at = options.find("huge=");
    option = at == std::string::npos
                 ? "never"
                 : options.substr(at + 5, options.find(',', at) - at - 5);
  }
  return option;
}

// Where temporary directories are made.
std::string TempParent() {
  const char* directory = std::getenv("TMPDIR");
  return directory == nullptr || *directory == '\0' ? "/tmp" : directory;
}

}  // namespace

void OrDie(const Status& status) {
  if (!status) Die(status.error().ToString());
}

TempDir::TempDir(const std::string& parent)
    : path_(parent + "/vitrine-benchmark-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) {
    Die(ErrnoError("mkdtemp in " + parent, errno).ToString());
  }
}

TempDir::~TempDir() {
  std::error_code ignored;  // What is busy stays; there is nobody to tell.
  std::filesystem::remove_all(path_, ignored);
}

BenchmarkStore::BenchmarkStore(uint64_t capacity_bytes, WithMount with_mount,
                               const std::vector<std::string>& more)
    : dir_(TempParent()), socket_path_(dir_.path() + "/socket") {
  std::vector<std::string> arguments = {VITRINED_PROGRAM,
                                        "--capacity",
                                        std::to_string(capacity_bytes),
                                        "--socket",
                                        socket_path_,
                                        "--state-dir",
                                        dir_.path() + "/state",
                                        "--log-level",
                                        "warn"};
  if (with_mount == WithMount::kYes) {
    mount_path_ = dir_.path() + "/mount";
    std::filesystem::create_directory(mount_path_);
    arguments.insert(arguments.end(), {"--mount", mount_path_});
  }
  arguments.insert(arguments.end(), more.begin(), more.end());
  pid_ = Spawn(arguments, /*quiet=*/true);
  Connect();  // Waits until it is ready.
}

BenchmarkStore::~BenchmarkStore() {
  ::kill(pid_, SIGTERM);
  WaitForEnd(pid_);
}

Client BenchmarkStore::Connect() const {
  return OrDie(Client::Connect({.socket_path = socket_path_,
                                .timeout = Timeout(20000),
                                .name = "benchmark"}));
}

void BenchmarkStore::OpenToOthers() const {
  if (::chmod(dir_.path().c_str(), 0711) == 0) return;
  Die(ErrnoError("chmod " + dir_.path(), errno).ToString());
}

nlohmann::json BenchmarkStore::GetStatus() const {
  Client client = Connect();
  return nlohmann::json::parse(OrDie(client.GetStatus()));
}

void BenchmarkStore::WaitUntilFree(uint64_t bytes) const {
  while (GetStatus().at("free_bytes").get<uint64_t>() < bytes) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

BareTmpfs::BareTmpfs(const std::string& path, uint64_t size_bytes) {
  const TempDir dir(TempParent());
  const std::string options =
      "size=" + std::to_string(size_bytes) + ",huge=" + HugeOptionOf(path);
  if (::mount("vitrine-benchmark", dir.path().c_str(), "tmpfs", 0,
              options.c_str()) != 0) {
    Die(ErrnoError("mount tmpfs " + options, errno).ToString());
  }
  fd_ = UniqueFd(::open(dir.path().c_str(), O_PATH | O_CLOEXEC));
  ::umount2(dir.path().c_str(), MNT_DETACH);
  if (!fd_.valid()) Die(ErrnoError("open the tmpfs", errno).ToString());
  path_ = "/proc/" + std::to_string(::getpid()) + "/fd/" +
          std::to_string(fd_.get());
}

void RunProgram(const std::vector<std::string>& arguments) {
  const int status = WaitForEnd(Spawn(arguments, /*quiet=*/false));
  if (status != 0) Die(arguments[0] + " failed");
}

void RunProgramQuietly(const std::vector<std::string>& arguments) {
  const int status = WaitForEnd(Spawn(arguments, /*quiet=*/true));
  if (status != 0) Die(arguments[0] + " failed");
}

void WriteFile(const std::string& path, uint64_t size_bytes) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.valid() ||
      ::ftruncate(fd.get(), static_cast<off_t>(size_bytes)) != 0) {
    Die(ErrnoError("create " + path, errno).ToString());
  }
  std::vector<uint64_t> words(128 * 1024);
  for (size_t i = 0; i < words.size(); ++i) words[i] = i;
  for (uint64_t done = 0; done < size_bytes;) {
    const size_t chunk =
        std::min<uint64_t>(size_bytes - done, words.size() * sizeof(words[0]));
    const ssize_t written = ::write(fd.get(), words.data(), chunk);
    if (written <= 0) Die(ErrnoError("write " + path, errno).ToString());
    done += static_cast<uint64_t>(written);
  }
}

}  // namespace vitrine
