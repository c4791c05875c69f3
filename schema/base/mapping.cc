#include "schema/base/mapping.h"

#include <cerrno>
#include <cstdint>

namespace vitrine {
namespace {

// What one page table maps.  The kernel aligns larger mappings itself.
constexpr size_t kTableBytes = size_t{2} << 20;
// A smaller mapping has too few pages to be worth another system call.
constexpr size_t kLeastPlacedBytes = size_t{256} << 10;

bool LiesAcrossTables(const void* data, size_t size_bytes) {
  const auto first = reinterpret_cast<uintptr_t>(data);
  return first / kTableBytes != (first + size_bytes - 1) / kTableBytes;
}

// A large folio that lies across two page tables is mapped page by page, with
// a fault for each.  A mapping below the border costs one fault a folio.
void* MapBelowBorder(void* data, size_t size_bytes, int protection, int fd) {
  constexpr uintptr_t kPageBytes = 4096;
  const auto end = reinterpret_cast<uintptr_t>(data) + size_bytes;
  const uintptr_t border = end / kTableBytes * kTableBytes;
  const uintptr_t wish = (border - size_bytes) / kPageBytes * kPageBytes;
  ::munmap(data, size_bytes);
  // If the address is taken, the kernel chooses another.
  return ::mmap(reinterpret_cast<void*>(wish), size_bytes, protection,
                MAP_SHARED, fd, 0);
}

}  // namespace

Result<Mapping> Mapping::Map(int fd, size_t size_bytes, int protection) {
  if (size_bytes == 0) return Mapping();
  void* data = ::mmap(nullptr, size_bytes, protection, MAP_SHARED, fd, 0);
  if (data != MAP_FAILED && size_bytes >= kLeastPlacedBytes &&
      size_bytes < kTableBytes && LiesAcrossTables(data, size_bytes)) {
    data = MapBelowBorder(data, size_bytes, protection, fd);
  }
  if (data == MAP_FAILED) return ErrnoError("mmap", errno);
  ::madvise(data, size_bytes, MADV_DONTDUMP);
  return Mapping(static_cast<std::byte*>(data), size_bytes);
}

}  // namespace vitrine
