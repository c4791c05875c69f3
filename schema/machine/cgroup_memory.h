// The memory cgroups of this process, and their limit.
#ifndef VITRINE_SCHEMA_MACHINE_CGROUP_MEMORY_H_
#define VITRINE_SCHEMA_MACHINE_CGROUP_MEMORY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vitrine::machine {

struct MemoryCgroup {
  std::string directory;
  bool first_version;  // Of cgroups: its files have other names.

  std::string limit_file() const {
    return directory +
           (first_version ? "/memory.limit_in_bytes" : "/memory.max");
  }
};

// Our memory cgroup and those above it, of version 1 and 2, ours first.  Some
// may not exist: in a container, the path can be that outside.  `root` is the
// directory of proc and sys.
std::vector<MemoryCgroup> ListMemoryCgroups(const std::string& root = "/");

// The least limit of all of them.  None: there is no limit.
std::optional<uint64_t> ReadCgroupMemoryLimit(const std::string& root = "/");

}  // namespace vitrine::machine

#endif  // VITRINE_SCHEMA_MACHINE_CGROUP_MEMORY_H_
