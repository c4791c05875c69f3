// The pages that the machine keeps for hugetlbfs.
#ifndef VITRINE_SCHEMA_MACHINE_HUGETLB_POOL_H_
#define VITRINE_SCHEMA_MACHINE_HUGETLB_POOL_H_

#include <cstdint>
#include <optional>
#include <string>

namespace vitrine::machine {

// Pages that the machine keeps, or may make.
struct HugetlbPool {
  uint64_t pages = 0;
  uint64_t free_pages = 0;  // Nobody has them, or has reserved them.
  std::string pages_file;   // Where the machine's owner sets how many.
};

// Of pages of `page_bytes`.  `root` is where proc and sys are.
HugetlbPool ReadHugetlbPool(uint64_t page_bytes, const std::string& root = "/");

// The size of pages where a mount does not say one; none: this kernel has no
// hugetlbfs.
std::optional<uint64_t> DefaultHugePageBytes(const std::string& root = "/");

}  // namespace vitrine::machine

#endif  // VITRINE_SCHEMA_MACHINE_HUGETLB_POOL_H_
