// Copies of many megabytes into an object's memory.
//
// Measured on 2 cores, huge pages, against memcpy between warm buffers (1.0):
//
//                       16 MiB   64 MiB   256 MiB
//   recycled, write(2)    0.70     0.84      0.81
//   recycled, streamed    1.36     1.24      1.26
//   new, write(2)         0.70     0.82      0.77
//   new, streamed         0.53     0.67      0.60
//
// Streaming stores do not read the memory that they overwrite.  New pages are
// better filled by write(2), which need not clear them first.  Below some 8 MiB
// write(2) is the fastest, because of the caches.  A second thread gained a
// fifth at 1 GiB on an idle machine, and lost at 16 MiB.
#ifndef VITRINE_CLIENT_BASE_LARGE_COPY_H_
#define VITRINE_CLIENT_BASE_LARGE_COPY_H_

#include <cstddef>
#include <span>

namespace vitrine {

// Smaller copies gain nothing from CopyLarge.
inline constexpr size_t kLeastLargeCopyBytes = size_t{8} << 20;

// Copies `from` to `to`, which is as large and does not overlap it, by up to
// `threads` threads (0 counts as 1).
void CopyLarge(std::span<std::byte> to, std::span<const std::byte> from,
               unsigned threads);

}  // namespace vitrine

#endif  // VITRINE_CLIENT_BASE_LARGE_COPY_H_
