// How much memory there is for us.
#ifndef VITRINE_STORE_HOST_MACHINE_MEMORY_H_
#define VITRINE_STORE_HOST_MACHINE_MEMORY_H_

#include <vitrine/result.h>

#include <cstdint>
#include <string>

namespace vitrine::store {

struct MachineMemory {
  uint64_t bytes;
  std::string source;  // "the machine's memory", "the memory cgroup's limit".
  std::string remedy = "";  // How its owner can have more of it, if we know.
};

// The machine's memory, or the limit of our memory cgroup (version 1 or 2) or
// of one above it, whichever is least.  `root` is where proc and sys are.
Result<MachineMemory> ReadMachineMemory(const std::string& root = "/");

// Pages that the machine keeps for hugetlbfs, or may make for it.
struct HugetlbPool {
  uint64_t pages = 0;
  uint64_t free_pages = 0;  // Nobody has them, or has reserved them.
  std::string pages_file;   // Where the machine's owner sets how many.
};
HugetlbPool ReadHugetlbPool(uint64_t page_bytes, const std::string& root = "/");

}  // namespace vitrine::store

#endif  // VITRINE_STORE_HOST_MACHINE_MEMORY_H_
