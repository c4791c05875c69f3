// Segments between two lives: see SegmentPool.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "schema/base/mapping.h"
#include "store/segments/segment_calls.h"
#include "store/segments/segment_dir.h"
#include "store/segments/segment_file.h"

namespace vitrine::store {
namespace {

// Allocates and clears the pages.
Status PopulateFile(int fd, uint64_t size_bytes) {
  auto mapping = Mapping::Map(fd, size_bytes, PROT_READ | PROT_WRITE);
  if (!mapping) return mapping.error();
  const Status done = Populate(mapping->data(), size_bytes);
  // The pages are allocated; the first writer clears them.
  if (!done && done.error().code == Code::kUnsupported) return Status();
  return done;
}

}  // namespace

Status SegmentDir::Retire(uint64_t number, uint64_t retired) {
  if (!retired_fd_.valid()) {
    return Error{Code::kUnsupported, "no directory for retired segments"};
  }
  const std::string name = SegmentName(number);
  // A process with a descriptor without access (O_PATH) must not open it anew.
  if (::fchmodat(fd_.get(), name.c_str(), 0600, 0) != 0) {
    return ErrnoError("chmod segment " + name, errno);
  }
  if (::renameat(fd_.get(), name.c_str(), retired_fd_.get(),
                 SegmentName(retired).c_str()) == 0) {
    return Status();
  }
  return ErrnoError("retire segment " + name, errno);
}

Result<UniqueFd> SegmentDir::CreateRetired(uint64_t number,
                                           uint64_t size_bytes) {
  Status made = CreateIn(retired_fd_.get(), number);
  if (!made) return made.error();
  auto fd = OpenSegmentAt(retired_fd_.get(), SegmentName(number), O_RDWR);
  made = fd ? TruncateSegment(fd->get(), FileBytes(size_bytes)) : fd.error();
  if (made && size_bytes > 0) {
    made = Allocate(fd->get(), 0, FileBytes(size_bytes));
  }
  if (made) return fd;
  (void)UnlinkRetired(number);  // The first error is what counts.
  return made.error();
}

Status SegmentDir::MakeRetired(uint64_t number, uint64_t size_bytes) {
  auto fd = CreateRetired(number, size_bytes);
  if (!fd) return fd.error();
  Status made = PopulateFile(fd->get(), FileBytes(size_bytes));
  if (!made) (void)UnlinkRetired(number);  // The first error is what counts.
  return made;
}

Result<SegmentFile::Extent> SegmentDir::Refit(uint64_t number,
                                              uint64_t size_bytes) {
  const std::string name = SegmentName(number);
  // Does not wait for a lease of another process.
  Result<UniqueFd> opened =
      OpenSegmentAt(retired_fd_.get(), name, O_RDWR | O_NONBLOCK);
  if (!opened) return opened.error();
  const SegmentFile file(*std::move(opened));
  const Result<bool> alone = file.LeaseAlone();
  if (!alone) return alone.error();
  if (!*alone) return Error{Code::kInUse, "somebody has " + name + " open"};
  Result<SegmentFile::Extent> extent = file.Stat();
  if (!extent) return extent;
  Status fits = FitTo(file, extent->size_bytes, size_bytes);
  if (!fits) return fits.error();
  // Sets both times to now, for the next object.
  if (::futimens(file.fd(), nullptr) != 0) {
    return ErrnoError("futimens segment " + name, errno);
  }
  return file.Stat();
}

Status SegmentDir::FitTo(const SegmentFile& file, uint64_t have_bytes,
                         uint64_t size_bytes) const {
  const uint64_t file_bytes = FileBytes(size_bytes);
  uint64_t kept_bytes = std::min(have_bytes, file_bytes);
  // The growth begins with a huge page, in place of the small ones at the end.
  if (huge_pages_ && have_bytes < file_bytes &&
      file_bytes >= kTmpfsHugePageBytes) {
    kept_bytes -= kept_bytes % kTmpfsHugePageBytes;
  }
  if (kept_bytes < have_bytes) {
    Status cut = TruncateSegment(file.fd(), kept_bytes);
    if (!cut) return cut;
  }
  if (!hugetlbfs_ || kept_bytes < file_bytes) return Status();
  return ClearTail(file.fd(), size_bytes, page_bytes_);
}

void SegmentDir::CollapseRetired(uint64_t number, uint64_t size_bytes) const {
  if (!collapses() || size_bytes < kTmpfsHugePageBytes) return;
  auto fd = OpenSegmentAt(retired_fd_.get(), SegmentName(number), O_RDWR);
  if (fd) *collapsed_bytes_ += CollapseSegment(fd->get(), size_bytes);
}

Status SegmentDir::Reinstate(uint64_t retired, uint64_t number) {
  const std::string old_name = SegmentName(retired);
  const std::string name = SegmentName(number);
  // RENAME_NOREPLACE is not needed: a number is used again only by an object
  // that was elsewhere, whose segment is gone, or in place of an empty segment.
  // hugetlbfs does not support it.
  if (::renameat(retired_fd_.get(), old_name.c_str(), fd_.get(),
                 name.c_str()) == 0) {
    return Status();
  }
  return ErrnoError("reinstate segment " + old_name, errno);
}

Result<std::shared_ptr<SegmentFile>> SegmentDir::OpenRetired(
    uint64_t number) const {
  Result<UniqueFd> opened = OpenSegmentAt(
      retired_fd_.get(), SegmentName(number), O_RDONLY | O_NONBLOCK);
  if (!opened) return opened.error();
  return std::make_shared<SegmentFile>(*std::move(opened));
}

Status SegmentDir::RemoveRetired(uint64_t number) {
  const std::string name = SegmentName(number);
  if (::unlinkat(retired_fd_.get(), name.c_str(), 0) == 0) return Status();
  return ErrnoError("unlink retired segment " + name, errno);
}

Result<std::shared_ptr<SegmentFile>> SegmentDir::UnlinkRetired(
    uint64_t number) {
  auto file = OpenRetired(number);
  if (Status ok = RemoveRetired(number); !ok) return ok.error();
  if (!file) return file;
  const Result<bool> alone = (*file)->LeaseAlone();
  if (!alone) return alone.error();
  if (*alone) file->reset();
  return file;
}

}  // namespace vitrine::store
