#include "schema/base/write_all.h"

#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace vitrine {
namespace {

// A multiple of every page size, so that the kernel need not clear pages that
// are written in whole, and less than the limit of one write(2).
constexpr size_t kPieceBytes = size_t{64} << 20;

// Calls `write` with the next piece of the bytes and its offset.
template <typename Write>
Status WriteInPieces(std::span<const std::byte> bytes, const Write& write) {
  size_t done = 0;
  while (done < bytes.size()) {
    const size_t size = std::min(bytes.size() - done, kPieceBytes);
    const ssize_t count = write(bytes.subspan(done, size), done);
    if (count > 0) {
      done += static_cast<size_t>(count);
    } else if (count < 0 && errno == EINVAL && done == 0) {
      return Error{Code::kUnsupported, "the file takes no write(2)"};
    } else if (count == 0 || errno != EINTR) {
      return ErrnoError("write", count == 0 ? ENOSPC : errno);
    }
  }
  return {};
}

}  // namespace

Status WriteAllAt(int fd, uint64_t offset_bytes,
                  std::span<const std::byte> bytes) {
  return WriteInPieces(
      bytes, [=](std::span<const std::byte> piece, size_t done) {
        return ::pwrite(fd, piece.data(), piece.size(),
                        static_cast<off_t>(offset_bytes + done));
      });
}

Status WriteAll(int fd, std::span<const std::byte> bytes) {
  return WriteInPieces(bytes, [=](std::span<const std::byte> piece, size_t) {
    return ::write(fd, piece.data(), piece.size());
  });
}

}  // namespace vitrine
