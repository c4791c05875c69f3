#include "store/segments/segment_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "schema/machine/file_lease.h"

namespace vitrine::store {

Result<bool> SegmentFile::NobodyWrites() const {
  MutexLock lock(mutex_);
  // A read lease would replace the stronger one, and prove nothing more.
  if (leased_alone_) return true;
  Result<bool> granted = machine::TakeLease(fd_.get(), F_RDLCK);
  if (granted && *granted) machine::DropLease(fd_.get());
  return granted;
}

Result<bool> SegmentFile::LeaseAlone() const {
  MutexLock lock(mutex_);
  if (leased_alone_) return true;
  Result<bool> granted = machine::TakeLease(fd_.get(), F_WRLCK);
  leased_alone_ = granted && *granted;
  return granted;
}

void SegmentFile::Unlease() const {
  MutexLock lock(mutex_);
  if (!leased_alone_) return;
  machine::DropLease(fd_.get());
  leased_alone_ = false;
}

Result<SegmentFile::Extent> SegmentFile::Stat() const {
  struct stat info;
  if (::fstat(fd_.get(), &info) != 0) return ErrnoError("fstat", errno);
  return Extent{
      static_cast<uint64_t>(info.st_size),
      static_cast<uint64_t>(info.st_blocks) * 512,
      int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec};
}

// hugetlbfs has no SEEK_HOLE: it would always answer with the end.
bool SegmentFile::IsWrittenTo(uint64_t size_bytes) const {
  return ::lseek(fd_.get(), 0, SEEK_HOLE) == static_cast<off_t>(size_bytes);
}

Result<size_t> SegmentFile::ReadAt(uint64_t offset_bytes,
                                   std::span<std::byte> buffer) const {
  if (offset_bytes > INT64_MAX - buffer.size()) {
    return Error{Code::kInvalidArgument, "read beyond any file"};
  }
  size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t got =
        ::pread(fd_.get(), buffer.data() + done, buffer.size() - done,
                static_cast<off_t>(offset_bytes + done));
    if (got == 0) break;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoError("pread", errno);
    done += static_cast<size_t>(got);
  }
  return done;
}

}  // namespace vitrine::store
