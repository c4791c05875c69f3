#include "schema/base/mapping.h"

#include <cerrno>
#include <cstdint>

namespace vitrine {
namespace {

// What one page table maps, and the size of a huge page.
constexpr size_t kTableBytes = size_t{2} << 20;
constexpr uintptr_t kPageBytes = 4096;
// A smaller mapping has too few pages to be worth another system call.
constexpr size_t kLeastPlacedBytes = size_t{256} << 10;

bool LiesAcrossTables(const void* data, size_t size_bytes) {
  const auto first = reinterpret_cast<uintptr_t>(data);
  return first / kTableBytes != (first + size_bytes - 1) / kTableBytes;
}

bool IsAligned(const void* data) {
  return reinterpret_cast<uintptr_t>(data) % kTableBytes == 0;
}

// A huge page is mapped as one only at a multiple of its size.  The kernel
// aligns mappings of files whose tmpfs has huge pages, but not all kernels
// those of files that were collapsed.
void* MapAligned(void* data, size_t size_bytes, int protection, int fd) {
  ::munmap(data, size_bytes);
  const size_t room_bytes = size_bytes + kTableBytes;
  void* const room = ::mmap(nullptr, room_bytes, PROT_NONE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) return room;
  auto* const first = static_cast<std::byte*>(room);
  const size_t before =
      (kTableBytes - reinterpret_cast<uintptr_t>(first) % kTableBytes) %
      kTableBytes;
  const size_t kept = (size_bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
  data = ::mmap(first + before, size_bytes, protection, MAP_SHARED | MAP_FIXED,
                fd, 0);
  if (data == MAP_FAILED) {
    ::munmap(room, room_bytes);
    return data;
  }
  if (before > 0) ::munmap(first, before);
  if (room_bytes > before + kept) {
    ::munmap(first + before + kept, room_bytes - before - kept);
  }
  return data;
}

// A large folio that lies across two page tables is mapped page by page, with
// a fault for each.  A mapping below the border costs one fault a folio.
void* MapBelowBorder(void* data, size_t size_bytes, int protection, int fd) {
  const auto end = reinterpret_cast<uintptr_t>(data) + size_bytes;
  const uintptr_t border = end / kTableBytes * kTableBytes;
  const uintptr_t wish = (border - size_bytes) / kPageBytes * kPageBytes;
  ::munmap(data, size_bytes);
  // If the address is taken, the kernel chooses another.
  data = ::mmap(reinterpret_cast<void*>(wish), size_bytes, protection,
                MAP_SHARED, fd, 0);
  if (data == MAP_FAILED || !LiesAcrossTables(data, size_bytes)) return data;
  return MapAligned(data, size_bytes, protection, fd);
}

}  // namespace

Result<Mapping> Mapping::Map(int fd, size_t size_bytes, int protection) {
  if (size_bytes == 0) return Mapping();
  void* data = ::mmap(nullptr, size_bytes, protection, MAP_SHARED, fd, 0);
  if (data != MAP_FAILED && size_bytes >= kLeastPlacedBytes &&
      size_bytes < kTableBytes && LiesAcrossTables(data, size_bytes)) {
    data = MapBelowBorder(data, size_bytes, protection, fd);
  } else if (data != MAP_FAILED && size_bytes >= kTableBytes &&
             !IsAligned(data)) {
    data = MapAligned(data, size_bytes, protection, fd);
  }
  if (data == MAP_FAILED) return ErrnoError("mmap", errno);
  ::madvise(data, size_bytes, MADV_DONTDUMP);
  return Mapping(static_cast<std::byte*>(data), size_bytes);
}

void Mapping::FreePages() const {
  if (data_ != nullptr) ::madvise(data_, size_bytes_, MADV_REMOVE);
}

}  // namespace vitrine
