#include "schema/machine/cgroup_memory.h"

#include <algorithm>
#include <sstream>

#include "schema/machine/kernel_text.h"

namespace vitrine::machine {
namespace {

// Where a hierarchy of cgroups is.
struct Hierarchy {
  std::string directory;
  std::string path;  // Of our cgroup: "/", "/system.slice/vitrined.service".
  bool first_version;
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
  if (controllers.empty())
    return Hierarchy{root + "/sys/fs/cgroup", path, false};
  if (!HasMemoryController(controllers)) return std::nullopt;
  return Hierarchy{root + "/sys/fs/cgroup/memory", path, true};
}

// Our cgroup and those above it.
void AddLevels(const Hierarchy& hierarchy, std::vector<MemoryCgroup>* cgroups) {
  for (std::string path = hierarchy.path;;) {
    if (path != "/") {
      cgroups->push_back({hierarchy.directory + path, hierarchy.first_version});
    }
    const size_t slash = path.rfind('/');
    if (slash == std::string::npos) return;
    path.resize(slash);
  }
}

}  // namespace

std::vector<MemoryCgroup> ListMemoryCgroups(const std::string& root) {
  std::istringstream lines(ReadText(root + "/proc/self/cgroup").value_or(""));
  std::vector<MemoryCgroup> cgroups;
  for (std::string line; std::getline(lines, line);) {
    const std::optional<Hierarchy> hierarchy = ParseCgroupLine(root, line);
    if (hierarchy) AddLevels(*hierarchy, &cgroups);
  }
  return cgroups;
}

std::optional<uint64_t> ReadCgroupMemoryLimit(const std::string& root) {
  std::optional<uint64_t> least;
  for (const MemoryCgroup& cgroup : ListMemoryCgroups(root)) {
    const std::optional<uint64_t> limit = ReadNumber(cgroup.limit_file());
    if (limit) least = std::min(limit.value(), least.value_or(*limit));
  }
  return least;
}

}  // namespace vitrine::machine
