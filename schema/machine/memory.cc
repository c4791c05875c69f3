#include "schema/machine/memory.h"

#include "schema/machine/cgroup_memory.h"
#include "schema/machine/kernel_text.h"

namespace vitrine::machine {

Result<Memory> ReadMemory(const std::string& root) {
  const std::optional<uint64_t> total = ReadMeminfoBytes("MemTotal:", root);
  if (!total) {
    return Error{Code::kIoError, "/proc/meminfo does not say MemTotal"};
  }
  std::optional<uint64_t> limit = ReadCgroupMemoryLimit(root);
  // Version 1 says a very large number where there is none.
  if (limit && *limit >= *total) limit.reset();
  return Memory{*total, limit};
}

}  // namespace vitrine::machine
