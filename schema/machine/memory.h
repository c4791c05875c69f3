// The memory that this process may use.
#ifndef VITRINE_SCHEMA_MACHINE_MEMORY_H_
#define VITRINE_SCHEMA_MACHINE_MEMORY_H_

#include <vitrine/result.h>

#include <cstdint>
#include <optional>
#include <string>

namespace vitrine::machine {

struct Memory {
  uint64_t total_bytes;
  // The limit of our memory cgroup or of one above it.  None: it is not less
  // than the machine's memory.
  std::optional<uint64_t> cgroup_limit_bytes;

  uint64_t usable_bytes() const {
    return cgroup_limit_bytes.value_or(total_bytes);
  }
};

// kIoError: /proc cannot be read.  `root` is the directory of proc and sys.
Result<Memory> ReadMemory(const std::string& root = "/");

}  // namespace vitrine::machine

#endif  // VITRINE_SCHEMA_MACHINE_MEMORY_H_
