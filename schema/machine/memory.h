// How much memory there is for us.
#ifndef VITRINE_SCHEMA_MACHINE_MEMORY_H_
#define VITRINE_SCHEMA_MACHINE_MEMORY_H_

#include <vitrine/result.h>

#include <cstdint>
#include <optional>
#include <string>

namespace vitrine::machine {

struct Memory {
  uint64_t total_bytes;
  // Of our memory cgroup, or of one above it; none unless it is less than the
  // machine has.
  std::optional<uint64_t> cgroup_limit_bytes;

  uint64_t usable_bytes() const {
    return cgroup_limit_bytes.value_or(total_bytes);
  }
};

// kIoError: the kernel does not say.  `root` is where proc and sys are.
Result<Memory> ReadMemory(const std::string& root = "/");

}  // namespace vitrine::machine

#endif  // VITRINE_SCHEMA_MACHINE_MEMORY_H_
