// Large files past the page cache.
//
// It leaves memory to others and takes less processor time; ARCHITECTURE.md has
// the figures, and spill_benchmark measures them again.  Where a file system
// has no direct I/O, the page cache does it.
#ifndef VITRINE_STORE_TIERS_DIRECT_FILE_H_
#define VITRINE_STORE_TIERS_DIRECT_FILE_H_

#include <vitrine/result.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "schema/base/unique_fd.h"

namespace vitrine::store {

// What direct I/O wants of memory, offsets and sizes.
inline constexpr size_t kDirectBytes = 4096;

// Aligned memory for what is not aligned itself.
class BounceBuffer {
 public:
  static constexpr size_t kBytes = size_t{1} << 20;
  BounceBuffer();
  std::span<std::byte> bytes() const { return {bytes_.get(), kBytes}; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const;
  };
  std::unique_ptr<std::byte[], Free> bytes_;
};

// Writes a new file from its beginning to its end.  Aligned memory goes to the
// device as it is, all other by way of the buffer.
class DirectWriter {
 public:
  // `fd` is a new, empty file, opened for writing.  Both must outlive it.
  DirectWriter(int fd, BounceBuffer* buffer);

  Status Append(std::span<const std::byte> bytes);
  // Writes the rest, and cuts the file to the bytes that were appended.
  Status Finish();

 private:
  // How much of `bytes` can go as it is.
  size_t DirectPart(std::span<const std::byte> bytes) const;
  // Takes what fits of `bytes`, and how much that was.
  Result<size_t> AppendToBuffer(std::span<const std::byte> bytes);
  Status WriteBuffer();
  Status WriteNext(std::span<const std::byte> bytes);

  const int fd_;
  BounceBuffer* const buffer_;
  bool direct_;
  size_t buffered_bytes_ = 0;
  uint64_t written_bytes_ = 0;  // A multiple of kDirectBytes.
};

// Reads a range of a file that is opened for reading.  Large parts that are
// aligned are read past the page cache.  kCorruption: the file ends before.
Status ReadRange(int fd, uint64_t offset_bytes, std::span<std::byte> bytes);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TIERS_DIRECT_FILE_H_
