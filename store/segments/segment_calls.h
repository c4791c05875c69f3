// System calls on segments, and the names of their files.  Interrupted calls
// are repeated.
#ifndef VITRINE_STORE_SEGMENTS_SEGMENT_CALLS_H_
#define VITRINE_STORE_SEGMENTS_SEGMENT_CALLS_H_

#include <sys/types.h>
#include <vitrine/result.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "schema/base/huge_page.h"
#include "schema/base/unique_fd.h"

namespace vitrine::store {

std::string SegmentName(uint64_t number);

inline uint64_t RoundUpTo(uint64_t bytes, uint64_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

// kTooLarge: the end of the range, rounded up, does not fit into off_t.
Status CheckSegmentRange(uint64_t offset_bytes, uint64_t size_bytes);

Result<UniqueFd> OpenSegmentDir(const std::string& path);
Result<UniqueFd> OpenSegmentAt(int dir, const std::string& name, int flags,
                               mode_t mode = 0);
// Makes the empty segment `name` that only the store's user can open.
Status CreateSegmentAt(int dir, const std::string& name);
Status TruncateSegment(int fd, uint64_t size_bytes);
// Allocates memory for the range without changing the size.
Status ReserveSegment(int fd, uint64_t offset_bytes, uint64_t size_bytes);
// Frees the memory of the range, which reads as zeros then; the size stays.
Status PunchSegment(int fd, uint64_t offset_bytes, uint64_t size_bytes);
// The same on hugetlbfs: all of it or nothing.
Status ReserveHuge(int fd, uint64_t offset_bytes, uint64_t size_bytes);
// Populates the pages of a writable mapping (MADV_POPULATE_WRITE); new pages
// are cleared.  kUnsupported: a kernel before 5.14.  kOutOfMemory: there are
// not enough pages.
Status Populate(std::byte* data, uint64_t size_bytes);
// Replaces small pages by huge ones in whole huge-page ranges (MADV_COLLAPSE),
// as far as the kernel can.  Returns how many bytes have huge pages then.
uint64_t CollapseSegment(int fd, uint64_t size_bytes);
// Clears the bytes between an object's end and the end of its last page.  On
// tmpfs the file's size is the object's, and the kernel clears them; on
// hugetlbfs sizes are whole pages.
Status ClearTail(int fd, uint64_t size_bytes, uint64_t page_bytes);

// The numbers of the segments in `dir`, which is at `path`; other names are
// ignored.
Result<std::vector<uint64_t>> ListSegments(int dir, const std::string& path);
Status UnlinkSegments(int dir, const std::string& path);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_SEGMENTS_SEGMENT_CALLS_H_
