#include "tests/system/memory_cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "tests/support/eventually.h"

namespace vitrine {
namespace {

// In one write(2), and with system calls only.
bool WriteText(const std::string& path, const char* text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const auto size = static_cast<ssize_t>(std::strlen(text));
  const bool written = ::write(fd, text, static_cast<size_t>(size)) == size;
  ::close(fd);
  return written;
}

uint64_t ReadNumberOf(const std::string& path) {
  std::ifstream file(path);
  uint64_t number = 0;
  file >> number;
  return number;
}

// The directory of the test's own cgroup of version 1; empty: there is none.
std::string FirstVersion() {
  std::ifstream lines("/proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    const size_t at = line.find(":memory:");
    if (at == std::string::npos) continue;
    return "/sys/fs/cgroup/memory" + line.substr(at + 8);
  }
  return "";
}

std::string SecondVersion() {
  std::ifstream lines("/proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("0::")) return "/sys/fs/cgroup" + line.substr(3);
  }
  return "";
}

}  // namespace

MemoryCgroup::MemoryCgroup() {
  above_ = FirstVersion();
  first_version_ = !above_.empty();
  if (!first_version_) above_ = SecondVersion();
  directory_ = above_ + "/vitrine-test-" + std::to_string(::getpid());
  if (above_.empty() || ::mkdir(directory_.c_str(), 0755) != 0) {
    why_not_ =
        "no cgroup can be made in '" + above_ + "': " + std::strerror(errno);
    directory_.clear();
    return;
  }
  // One with processes of its own hands no controllers down, but for the
  // topmost.
  if (!first_version_) {
    WriteText(above_ + "/cgroup.subtree_control", "+memory");
  }
  if (::access(limit_file().c_str(), W_OK) != 0) {
    why_not_ =
        "the cgroup " + above_ + " has no memory controller to hand down";
  }
}

MemoryCgroup::~MemoryCgroup() {
  if (directory_.empty()) return;
  // A process that has ended may still be on its way out.
  Eventually([&] { return ::rmdir(directory_.c_str()) == 0; });
}

bool MemoryCgroup::Enter() const {
  return WriteText(directory_ + "/cgroup.procs", "0");
}

bool MemoryCgroup::Leave() const {
  return WriteText(above_ + "/cgroup.procs", "0");
}

std::string MemoryCgroup::limit_file() const {
  return directory_ +
         (first_version_ ? "/memory.limit_in_bytes" : "/memory.high");
}

bool MemoryCgroup::SetLimit(uint64_t bytes) const {
  const std::string text = std::to_string(bytes);
  if (!WriteText(limit_file(), text.c_str())) return false;
  return first_version_ || WriteText(directory_ + "/memory.max", text.c_str());
}

uint64_t MemoryCgroup::UsedBytes() const {
  return ReadNumberOf(directory_ + (first_version_ ? "/memory.usage_in_bytes"
                                                   : "/memory.current"));
}

}  // namespace vitrine
