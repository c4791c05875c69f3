#include "schema/machine/cgroup_memory.h"

#include <algorithm>
#include <sstream>

#include "schema/machine/kernel_text.h"

namespace vitrine::machine {
namespace {

// Where a hierarchy of cgroups is, and the file that limits memory in it.
struct Hierarchy {
  std::string directory;
  std::string path;  // Of our cgroup: "/", "/system.slice/vitrined.service".
  const char* limit_file;
};

bool HasMemoryController(const std::string& controllers) {
  std::istringstream words(controllers);
  for (std::string word; std::getline(words, word, ',');) {
    if (word == "memory") return true;
  }
  return false;
}

// What a line of /proc/self/cgroup, "id:controllers:path", says about memory.
std::optional<Hierarchy> ParseCgroupLine(const std::string& root,
                                         const std::string& line) {
  const size_t first = line.find(':');
  if (first == std::string::npos) return std::nullopt;
  const size_t second = line.find(':', first + 1);
  if (second == std::string::npos) return std::nullopt;
  const std::string controllers = line.substr(first + 1, second - first - 1);
  const std::string path = line.substr(second + 1);
  if (controllers.empty()) {
    return Hierarchy{root + "/sys/fs/cgroup", path, "memory.max"};
  }
  if (!HasMemoryController(controllers)) return std::nullopt;
  return Hierarchy{root + "/sys/fs/cgroup/memory", path,
                   "memory.limit_in_bytes"};
}

std::optional<uint64_t> Lesser(std::optional<uint64_t> one,
                               std::optional<uint64_t> other) {
  if (!one || !other) return one ? one : other;
  return std::min(*one, *other);
}

// The least limit of our cgroup and those above it.
std::optional<uint64_t> LeastLimit(const Hierarchy& hierarchy) {
  std::optional<uint64_t> least;
  for (std::string path = hierarchy.path;;) {
    const std::optional<uint64_t> limit =
        ReadNumber(hierarchy.directory + path + "/" + hierarchy.limit_file);
    least = Lesser(least, limit);
    const size_t slash = path.rfind('/');
    if (slash == std::string::npos) return least;
    path.resize(slash);
  }
}

}  // namespace

std::optional<uint64_t> ReadCgroupMemoryLimit(const std::string& root) {
  std::istringstream lines(ReadText(root + "/proc/self/cgroup").value_or(""));
  std::optional<uint64_t> least;
  for (std::string line; std::getline(lines, line);) {
    const std::optional<Hierarchy> hierarchy = ParseCgroupLine(root, line);
    if (hierarchy) least = Lesser(least, LeastLimit(*hierarchy));
  }
  return least;
}

}  // namespace vitrine::machine
