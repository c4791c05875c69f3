// Which physical pages a mapping has, as the kernel tells root.
#ifndef VITRINE_TESTS_SYSTEM_PAGE_FRAMES_H_
#define VITRINE_TESTS_SYSTEM_PAGE_FRAMES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace vitrine {

// Frame numbers of all pages of `bytes`, which is touched first.  Zero: there
// is none, or the kernel does not say.
std::vector<uint64_t> PageFrames(std::span<const std::byte> bytes);

// What smaps says of the mapping at `address`.
struct MappingFacts {
  std::string path;                // Of the file that is mapped.
  uint64_t page_bytes = 0;         // 2 MiB on hugetlbfs.
  uint64_t huge_mapped_bytes = 0;  // By huge pages of tmpfs.
};
MappingFacts FactsOfMapping(const std::byte* address);

// How much of the mapping at `address` is mapped by huge pages of shared
// memory (ShmemPmdMapped in smaps).
uint64_t HugeMappedBytes(const std::byte* address);

}  // namespace vitrine

#endif  // VITRINE_TESTS_SYSTEM_PAGE_FRAMES_H_
