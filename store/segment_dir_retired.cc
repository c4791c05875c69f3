// Segments between two lives: see SegmentPool.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "schema/base/mapping.h"
#include "store/segment_calls.h"
#include "store/segment_file.h"

namespace vitrine {
namespace {

#ifndef MADV_POPULATE_WRITE
constexpr int MADV_POPULATE_WRITE = 23;
#endif

// Clears what lies between an object's end and the end of its last page: a
// file's size says it on tmpfs, and the kernel clears there; on hugetlbfs
// sizes are whole pages.
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

// Its pages are there, and cleared, when this returns.
Status Populate(int fd, uint64_t size_bytes) {
  auto mapping = Mapping::Map(fd, size_bytes, PROT_READ | PROT_WRITE);
  if (!mapping) return mapping.error();
  if (::madvise(mapping->data(), size_bytes, MADV_POPULATE_WRITE) == 0) {
    return Status();
  }
  // Kernels before 5.14 do not know it: the first writer touches the pages.
  if (errno == EINVAL) return Status();
  return ErrnoError("madvise MADV_POPULATE_WRITE", errno);
}

}  // namespace

Status SegmentDir::Retire(uint64_t number) {
  if (!retired_fd_.valid()) {
    return Error{Code::kUnsupported, "no directory for retired segments"};
  }
  const std::string name = SegmentName(number);
  // Whoever has a descriptor without access (O_PATH) may not open it anew.
  if (::fchmodat(fd_.get(), name.c_str(), 0600, 0) != 0) {
    return ErrnoError("chmod segment " + name, errno);
  }
  if (::renameat(fd_.get(), name.c_str(), retired_fd_.get(), name.c_str()) ==
      0) {
    return Status();
  }
  return ErrnoError("retire segment " + name, errno);
}

Status SegmentDir::MakeRetired(uint64_t number, uint64_t size_bytes) {
  const std::string name = SegmentName(number);
  Status made = CreateIn(retired_fd_.get(), number);
  if (!made) return made;
  Result<UniqueFd> fd = OpenSegmentAt(retired_fd_.get(), name, O_RDWR);
  made = fd ? TruncateSegment(fd->get(), size_bytes) : fd.error();
  if (made) made = Allocate(fd->get(), 0, size_bytes);
  if (made) made = Populate(fd->get(), size_bytes);
  if (!made) (void)UnlinkRetired(number);  // The first error is what counts.
  return made;
}

Result<SegmentFile::Extent> SegmentDir::Refit(uint64_t number,
                                              uint64_t size_bytes) {
  const std::string name = SegmentName(number);
  // Not held up by a lease that somebody else has.
  Result<UniqueFd> opened =
      OpenSegmentAt(retired_fd_.get(), name, O_RDWR | O_NONBLOCK);
  if (!opened) return opened.error();
  const SegmentFile file(*std::move(opened));
  const Result<bool> alone = file.LeaseAlone();
  if (!alone) return alone.error();
  if (!*alone) return Error{Code::kInUse, "somebody has " + name + " open"};
  Result<SegmentFile::Extent> extent = file.Stat();
  if (!extent) return extent;
  const uint64_t file_bytes =
      hugetlbfs_ ? RoundUpTo(size_bytes, page_bytes_) : size_bytes;
  if (extent->size_bytes > file_bytes) {
    Status cut = TruncateSegment(file.fd(), file_bytes);
    if (!cut) return cut.error();
  }
  if (hugetlbfs_ && extent->size_bytes >= file_bytes) {
    Status cleared = ClearTail(file.fd(), size_bytes, page_bytes_);
    if (!cleared) return cleared.error();
  }
  // Both times are now: this is where the next object begins.
  if (::futimens(file.fd(), nullptr) != 0) {
    return ErrnoError("futimens segment " + name, errno);
  }
  return file.Stat();
}

Status SegmentDir::Reinstate(uint64_t retired, uint64_t number) {
  const std::string old_name = SegmentName(retired);
  const std::string name = SegmentName(number);
  // Without RENAME_NOREPLACE, which hugetlbfs does not know: no number is used
  // twice.
  if (::renameat(retired_fd_.get(), old_name.c_str(), fd_.get(),
                 name.c_str()) == 0) {
    return Status();
  }
  return ErrnoError("reinstate segment " + old_name, errno);
}

Status SegmentDir::UnlinkRetired(uint64_t number) {
  const std::string name = SegmentName(number);
  if (::unlinkat(retired_fd_.get(), name.c_str(), 0) == 0) return Status();
  return ErrnoError("unlink retired segment " + name, errno);
}

}  // namespace vitrine
