// The memory limit of this process's cgroups.
#ifndef VITRINE_SCHEMA_MACHINE_CGROUP_MEMORY_H_
#define VITRINE_SCHEMA_MACHINE_CGROUP_MEMORY_H_

#include <cstdint>
#include <optional>
#include <string>

namespace vitrine::machine {

// The least limit of our memory cgroup and those above it, of version 1 and 2.
// None: there is no limit.  `root` is the directory of proc and sys.
std::optional<uint64_t> ReadCgroupMemoryLimit(const std::string& root = "/");

}  // namespace vitrine::machine

#endif  // VITRINE_SCHEMA_MACHINE_CGROUP_MEMORY_H_
