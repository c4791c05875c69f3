// How much memory a store may take, and why no more.
#ifndef VITRINE_STORE_HOST_MEMORY_LIMIT_H_
#define VITRINE_STORE_HOST_MEMORY_LIMIT_H_

#include <vitrine/result.h>

#include <cstdint>
#include <string>

namespace vitrine::store {

struct MemoryLimit {
  uint64_t bytes;
  std::string source;       // "the machine's memory", "the tmpfs of /dev/shm".
  std::string remedy = "";  // How its owner can have more of it, if we know.
};

// The machine's memory, or what our cgroups leave of it.
Result<MemoryLimit> LimitOfMachine();
// That of the tmpfs that `path` is on, or the machine's if that is less.
Result<MemoryLimit> LimitOfTmpfs(const std::string& path);
// On the hugetlbfs of `path`: the pages that are free, and the `own_pages` that
// the store has already.
Result<MemoryLimit> LimitOfHugetlbfs(const std::string& path,
                                     uint64_t own_pages);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_HOST_MEMORY_LIMIT_H_
