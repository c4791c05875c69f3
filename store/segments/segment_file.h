// One file that holds memory, as the store itself has it open.
#ifndef VITRINE_STORE_SEGMENTS_SEGMENT_FILE_H_
#define VITRINE_STORE_SEGMENTS_SEGMENT_FILE_H_

#include <vitrine/result.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "schema/base/mutex.h"
#include "schema/base/unique_fd.h"

namespace vitrine::store {

// The store's own read-only description of one segment.  There is at most one
// for each segment: the kernel refuses a lease because of a second description,
// even the store's own.  Thread-safe.
class SegmentFile {
 public:
  explicit SegmentFile(UniqueFd fd) : fd_(std::move(fd)) {}

  int fd() const { return fd_.get(); }

  // True if no process has the segment open or mapped writable.
  Result<bool> NobodyWrites() const EXCLUDES(mutex_);
  // True if only this description has it open, and no process has it mapped.
  // Then opens by name wait until Unlease or destruction; they get the file
  // even if it was unlinked meanwhile.
  Result<bool> LeaseAlone() const EXCLUDES(mutex_);
  void Unlease() const EXCLUDES(mutex_);

  struct Extent {
    uint64_t size_bytes;       // As stat says.
    uint64_t allocated_bytes;  // Memory that it takes.
    int64_t modified_ns;
  };
  Result<Extent> Stat() const;
  // True: every page up to the end at `size_bytes` was written.  False: there
  // are holes, or pages that were reserved only, or the kernel cannot tell.
  bool IsWrittenTo(uint64_t size_bytes) const;

  // Copies from `offset_bytes` on into `buffer`; returns how many bytes there
  // were.  On hugetlbfs, too.
  Result<size_t> ReadAt(uint64_t offset_bytes,
                        std::span<std::byte> buffer) const;

 private:
  const UniqueFd fd_;

  // A description has one lease; a new one replaces it.
  mutable Mutex mutex_;
  mutable bool leased_alone_ GUARDED_BY(mutex_) = false;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_SEGMENTS_SEGMENT_FILE_H_
