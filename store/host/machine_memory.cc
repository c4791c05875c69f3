#include "store/host/machine_memory.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>

namespace vitrine::store {
namespace {

std::optional<uint64_t> ParseNumber(std::string_view text) {
  uint64_t number = 0;
  const auto [end, failure] =
      std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc()) return std::nullopt;
  return number;
}

// The number that `path` starts with; none if it is missing or says "max".
std::optional<uint64_t> ReadNumber(const std::string& path) {
  std::ifstream file(path);
  std::string word;
  if (!(file >> word)) return std::nullopt;
  return ParseNumber(word);
}

std::optional<uint64_t> ReadMemTotal(const std::string& root) {
  std::ifstream file(root + "/proc/meminfo");
  std::string name;
  std::string value;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    if (!(words >> name >> value) || name != "MemTotal:") continue;
    const std::optional<uint64_t> kib = ParseNumber(value);
    if (!kib || *kib > UINT64_MAX / 1024) return std::nullopt;
    return *kib * 1024;
  }
  return std::nullopt;
}

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

// The least limit of our cgroup and those above it.
std::optional<uint64_t> LeastLimit(const Hierarchy& hierarchy) {
  std::optional<uint64_t> least;
  for (std::string path = hierarchy.path;;) {
    const std::optional<uint64_t> limit =
        ReadNumber(hierarchy.directory + path + "/" + hierarchy.limit_file);
    if (limit && (!least || *limit < *least)) least = limit;
    const size_t slash = path.rfind('/');
    if (slash == std::string::npos) return least;
    path.resize(slash);
  }
}

}  // namespace

Result<MachineMemory> ReadMachineMemory(const std::string& root) {
  const std::optional<uint64_t> total = ReadMemTotal(root);
  if (!total) {
    return Error{Code::kIoError, "/proc/meminfo does not say MemTotal"};
  }
  MachineMemory memory{*total, "the machine's memory"};
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::optional<Hierarchy> hierarchy = ParseCgroupLine(root, line);
    if (!hierarchy) continue;
    const std::optional<uint64_t> limit = LeastLimit(*hierarchy);
    if (limit && *limit < memory.bytes) {
      memory = {*limit, "the limit of the memory cgroup"};
    }
  }
  return memory;
}

HugetlbPool ReadHugetlbPool(uint64_t page_bytes, const std::string& root) {
  const std::string directory = (root == "/" ? "" : root) +
                                "/sys/kernel/mm/hugepages/hugepages-" +
                                std::to_string(page_bytes / 1024) + "kB/";
  const auto read = [&](const char* name) {
    return ReadNumber(directory + name).value_or(0);
  };
  HugetlbPool pool;
  pool.pages_file = directory + "nr_hugepages";
  const uint64_t overcommit = read("nr_overcommit_hugepages");
  // Surplus pages are counted among the pages, but overcommitted.
  const uint64_t surplus = std::min(overcommit, read("surplus_hugepages"));
  const uint64_t reserved = read("resv_hugepages");
  const uint64_t free = read("free_hugepages") + overcommit - surplus;
  pool.pages = read("nr_hugepages") + overcommit - surplus;
  pool.free_pages = free - std::min(free, reserved);
  return pool;
}

}  // namespace vitrine::store
