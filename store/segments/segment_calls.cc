#include "store/segments/segment_calls.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include "schema/base/mapping.h"
#include "schema/index_layout.h"

namespace vitrine::store {
namespace {

#ifndef MADV_COLLAPSE
constexpr int MADV_COLLAPSE = 25;
#endif
#ifndef MADV_POPULATE_WRITE
constexpr int MADV_POPULATE_WRITE = 23;
#endif

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

std::optional<uint64_t> NumberOf(std::string_view name) {
  if (name.size() != kSegmentNameChars) return std::nullopt;
  uint64_t number = 0;
  for (const char digit : name) {
    const size_t value = std::string_view("0123456789abcdef").find(digit);
    if (value == std::string_view::npos) return std::nullopt;
    number = number << 4 | value;
  }
  return number;
}

}  // namespace

std::string SegmentName(uint64_t number) {
  char name[kSegmentNameChars + 1];
  WriteSegmentName(number, name);
  return name;
}

Status CheckSegmentRange(uint64_t offset_bytes, uint64_t size_bytes) {
  constexpr uint64_t kMaxBytes = uint64_t{1} << 62;
  if (offset_bytes > kMaxBytes || size_bytes > kMaxBytes - offset_bytes) {
    return Error{Code::kTooLarge, "a segment of more than 2^62 bytes"};
  }
  return Status();
}

Result<UniqueFd> OpenSegmentAt(int dir, const std::string& name, int flags,
                               mode_t mode) {
  for (;;) {
    UniqueFd fd(
        ::openat(dir, name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, mode));
    if (fd.valid()) return fd;
    if (errno != EINTR) return ErrnoError("open segment " + name, errno);
  }
}

Status TruncateSegment(int fd, uint64_t size_bytes) {
  while (::ftruncate(fd, static_cast<off_t>(size_bytes)) != 0) {
    if (errno != EINTR) return ErrnoError("ftruncate segment", errno);
  }
  return Status();
}

Status ReserveSegment(int fd, uint64_t offset_bytes, uint64_t size_bytes) {
  while (::fallocate(fd, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset_bytes),
                     static_cast<off_t>(size_bytes)) != 0) {
    if (errno != EINTR) return ErrnoError("fallocate segment", errno);
  }
  return Status();
}

Status PunchSegment(int fd, uint64_t offset_bytes, uint64_t size_bytes) {
  while (::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                     static_cast<off_t>(offset_bytes),
                     static_cast<off_t>(size_bytes)) != 0) {
    if (errno != EINTR) return ErrnoError("punch segment", errno);
  }
  return Status();
}

// On hugetlbfs, a fallocate that fails half-way keeps the pages that it got.
// Mapping the range first reserves all of it or nothing.  The file keeps the
// reservation when the mapping goes, and fallocate then takes from it.
Status ReserveHuge(int fd, uint64_t offset_bytes, uint64_t size_bytes) {
  if (size_bytes == 0) return Status();
  void* data = ::mmap(nullptr, size_bytes, PROT_READ, MAP_SHARED, fd,
                      static_cast<off_t>(offset_bytes));
  if (data == MAP_FAILED) return ErrnoError("reserve huge pages", errno);
  ::munmap(data, size_bytes);
  return ReserveSegment(fd, offset_bytes, size_bytes);
}

Status Populate(std::byte* data, uint64_t size_bytes) {
  while (::madvise(data, size_bytes, MADV_POPULATE_WRITE) != 0) {
    if (errno == EINTR) continue;
    if (errno == EINVAL) {
      return Error{Code::kUnsupported, "no MADV_POPULATE_WRITE before 5.14"};
    }
    // Where a write to the page would raise SIGBUS, madvise(2) fails with
    // EFAULT.
    if (errno == EFAULT) {
      return Error{Code::kOutOfMemory, "populate: no such pages are free"};
    }
    return ErrnoError("madvise MADV_POPULATE_WRITE", errno);
  }
  return Status();
}

uint64_t CollapseSegment(int fd, uint64_t size_bytes) {
  const uint64_t whole_bytes =
      size_bytes / kTmpfsHugePageBytes * kTmpfsHugePageBytes;
  const Result<Mapping> mapping = Mapping::Map(fd, whole_bytes, PROT_READ);
  if (!mapping) return 0;
  uint64_t huge_bytes = 0;
  // A range that cannot be collapsed must not stop the others.
  for (uint64_t offset = 0; offset < whole_bytes;
       offset += kTmpfsHugePageBytes) {
    if (::madvise(mapping->data() + offset, kTmpfsHugePageBytes,
                  MADV_COLLAPSE) == 0) {
      huge_bytes += kTmpfsHugePageBytes;
    }
  }
  return huge_bytes;
}

Status ClearTail(int fd, uint64_t size_bytes, uint64_t page_bytes) {
  const uint64_t used_bytes = size_bytes % page_bytes;
  if (used_bytes == 0) return Status();
  void* page = ::mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                      fd, static_cast<off_t>(size_bytes - used_bytes));
  if (page == MAP_FAILED) return ErrnoError("mmap segment", errno);
  std::memset(static_cast<std::byte*>(page) + used_bytes, 0,
              page_bytes - used_bytes);
  ::munmap(page, page_bytes);
  return Status();
}

Result<UniqueFd> OpenSegmentDir(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError("open " + path, errno);
  return fd;
}

Status CreateSegmentAt(int dir, const std::string& name) {
  Result<UniqueFd> fd =
      OpenSegmentAt(dir, name, O_RDONLY | O_CREAT | O_EXCL, 0600);
  if (!fd) return fd.error();
  // The umask may have taken bits away.
  if (::fchmod(fd->get(), 0600) == 0) return Status();
  const int reason = errno;
  ::unlinkat(dir, name.c_str(), 0);
  return ErrnoError("chmod segment " + name, reason);
}

Result<std::vector<uint64_t>> ListSegments(int dir, const std::string& path) {
  // Uses a description of its own, because reading moves the position.
  UniqueFd fd(::openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError("open " + path, errno);
  const std::unique_ptr<DIR, CloseDir> listing(::fdopendir(fd.get()));
  if (listing == nullptr) return ErrnoError("fdopendir " + path, errno);
  fd.release();  // closedir closes it.
  std::vector<uint64_t> numbers;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(listing.get());
    if (entry == nullptr && errno != 0) {
      return ErrnoError("readdir " + path, errno);
    }
    if (entry == nullptr) return numbers;
    const std::optional<uint64_t> number = NumberOf(entry->d_name);
    if (number) numbers.push_back(*number);
  }
}

Status UnlinkSegments(int dir, const std::string& path) {
  const auto numbers = ListSegments(dir, path);
  if (!numbers) return numbers.error();
  for (const uint64_t number : *numbers) {
    if (::unlinkat(dir, SegmentName(number).c_str(), 0) == 0) continue;
    if (errno != ENOENT) return ErrnoError("unlink in " + path, errno);
  }
  return Status();
}

}  // namespace vitrine::store
