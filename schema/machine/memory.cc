#include "schema/machine/memory.h"

#include "schema/machine/cgroup_memory.h"
#include "schema/machine/kernel_text.h"

namespace vitrine::machine {
namespace {

std::optional<uint64_t> ReadTotal(const std::string& root) {
  const std::string text = ReadText(root + "/proc/meminfo").value_or("");
  const std::optional<uint64_t> kib = FindNumber(text, "MemTotal:", 10);
  if (!kib || *kib > UINT64_MAX / 1024) return std::nullopt;
  return *kib * 1024;
}

}  // namespace

Result<Memory> ReadMemory(const std::string& root) {
  const std::optional<uint64_t> total = ReadTotal(root);
  if (!total) {
    return Error{Code::kIoError, "/proc/meminfo does not say MemTotal"};
  }
  std::optional<uint64_t> limit = ReadCgroupMemoryLimit(root);
  // Version 1 says a very large number where there is none.
  if (limit && *limit >= *total) limit.reset();
  return Memory{*total, limit};
}

}  // namespace vitrine::machine
