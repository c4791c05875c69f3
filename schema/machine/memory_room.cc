#include "schema/machine/memory_room.h"

#include <filesystem>
#include <optional>

#include "schema/base/saturating.h"
#include "schema/machine/cgroup_memory.h"
#include "schema/machine/kernel_text.h"

namespace vitrine::machine {
namespace {

namespace fs = std::filesystem;

// What the files of a memory cgroup, and the lines of its memory.stat, are
// called.
struct Names {
  const char* softer_limit;  // Null: there is none.
  const char* used;
  const char* cached[2];
  const char* shared;
};

// The lines of version 1 without "total_" leave out the cgroups below.
constexpr Names kFirst = {nullptr,
                          "/memory.usage_in_bytes",
                          {"total_active_file ", "total_inactive_file "},
                          "total_shmem "};
constexpr Names kSecond = {"/memory.high",
                           "/memory.current",
                           {"active_file ", "inactive_file "},
                           "shmem "};

struct Limit {
  std::string file;
  uint64_t bytes;
};

std::optional<Limit> ReadLimit(const MemoryCgroup& cgroup, const Names& names) {
  std::vector<std::string> files = {cgroup.limit_file()};
  if (names.softer_limit != nullptr) {
    files.push_back(cgroup.directory + names.softer_limit);
  }
  std::optional<Limit> least;
  for (const std::string& file : files) {
    const std::optional<uint64_t> bytes = ReadNumber(file);
    if (bytes && (!least || *bytes < least->bytes)) {
      least = Limit{file, *bytes};
    }
  }
  return least;
}

std::optional<MemoryRoom> RoomOf(const MemoryCgroup& cgroup,
                                 uint64_t machine_bytes) {
  const Names& names = cgroup.first_version ? kFirst : kSecond;
  const std::optional<Limit> limit = ReadLimit(cgroup, names);
  if (!limit || limit->bytes >= machine_bytes) return std::nullopt;
  const auto used = ReadNumber(cgroup.directory + names.used);
  const auto stat = ReadText(cgroup.directory + "/memory.stat");
  if (!used || !stat) return std::nullopt;
  uint64_t cached = 0;
  for (const char* line : names.cached) {
    cached += FindNumber(*stat, line, 10).value_or(0);
  }
  // The root is "/" as a rule, and the rest begins with another slash.
  return MemoryRoom{
      fs::path(limit->file).lexically_normal(), limit->bytes,
      SaturatingSubtract(limit->bytes, SaturatingSubtract(*used, cached)),
      FindNumber(*stat, names.shared, 10).value_or(0)};
}

}  // namespace

std::vector<MemoryRoom> ReadMemoryRooms(const std::string& root) {
  std::vector<MemoryRoom> rooms;
  const std::string meminfo = ReadText(root + "/proc/meminfo").value_or("");
  const auto total = FindMeminfoBytes(meminfo, "MemTotal:");
  const auto available = FindMeminfoBytes(meminfo, "MemAvailable:");
  const auto shared = FindMeminfoBytes(meminfo, "Shmem:");
  if (total && available && shared) {
    rooms.push_back({"the machine's memory", *total, *available, *shared});
  }
  for (const MemoryCgroup& cgroup : ListMemoryCgroups(root)) {
    const auto room = RoomOf(cgroup, total.value_or(UINT64_MAX));
    if (room) rooms.push_back(*room);
  }
  return rooms;
}

}  // namespace vitrine::machine
