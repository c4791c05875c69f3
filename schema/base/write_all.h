// write(2) until all is written.
#ifndef VITRINE_SCHEMA_BASE_WRITE_ALL_H_
#define VITRINE_SCHEMA_BASE_WRITE_ALL_H_

#include <vitrine/result.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace vitrine {

// Writes `bytes` at `offset_bytes` of a file.  kUnsupported: the file takes no
// write(2), as on hugetlbfs; nothing was written.
Status WriteAllAt(int fd, uint64_t offset_bytes,
                  std::span<const std::byte> bytes);

// Writes `bytes` at the descriptor's file offset, or to a pipe.
Status WriteAll(int fd, std::span<const std::byte> bytes);

}  // namespace vitrine

#endif  // VITRINE_SCHEMA_BASE_WRITE_ALL_H_
