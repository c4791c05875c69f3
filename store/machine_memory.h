// How much memory there is for us.
#ifndef VITRINE_STORE_MACHINE_MEMORY_H_
#define VITRINE_STORE_MACHINE_MEMORY_H_

#include <vitrine/result.h>

#include <cstdint>
#include <string>

namespace vitrine {

struct MachineMemory {
  uint64_t bytes;
  std::string source;  // "the machine's memory", "the memory cgroup's limit".
};

// The machine's memory, or the limit of our memory cgroup (version 1 or 2) or
// of one above it, whichever is least.  `root` is where proc and sys are.
Result<MachineMemory> ReadMachineMemory(const std::string& root = "/");

// Pages that the machine keeps for hugetlbfs, or may make for it, in bytes.
uint64_t HugetlbPoolBytes(uint64_t page_bytes, const std::string& root = "/");

}  // namespace vitrine

#endif  // VITRINE_STORE_MACHINE_MEMORY_H_
