// Which physical pages a mapping has, as the kernel tells root.
#ifndef VITRINE_TESTS_SYSTEM_PAGE_FRAMES_H_
#define VITRINE_TESTS_SYSTEM_PAGE_FRAMES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace vitrine {

// Frame numbers of all pages of `bytes`, which is touched first.  Zero: there
// is none, or the kernel does not say.
std::vector<uint64_t> PageFrames(std::span<const std::byte> bytes);

// How much of the mapping at `address` is mapped by huge pages of shared
// memory (ShmemPmdMapped in smaps).
uint64_t HugeMappedBytes(const std::byte* address);

}  // namespace vitrine

#endif  // VITRINE_TESTS_SYSTEM_PAGE_FRAMES_H_
