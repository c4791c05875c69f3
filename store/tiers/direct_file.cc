#include "store/tiers/direct_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "schema/base/write_all.h"

namespace vitrine::store {
namespace {

// Less is copied: one more system call would take longer.
constexpr size_t kLeastDirectBytes = size_t{128} << 10;
constexpr size_t kDirectPieceBytes = size_t{8} << 20;

bool IsDirectAligned(const void* memory) {
  return reinterpret_cast<uintptr_t>(memory) % kDirectBytes == 0;
}

size_t RoundDownToDirect(size_t bytes) { return bytes - bytes % kDirectBytes; }

// False: the file system has no direct I/O.
bool SetDirect(int fd, bool direct) {
  const int flags = ::fcntl(fd, F_GETFL);
  const int wanted = direct ? flags | O_DIRECT : flags & ~O_DIRECT;
  return flags >= 0 && ::fcntl(fd, F_SETFL, wanted) == 0;
}

Error EndsEarly() {
  return {Code::kCorruption, "the value ends before what is asked for"};
}

// Fewer than all: the end of the file, or of what direct I/O can read.
Result<size_t> ReadPieces(int fd, uint64_t offset_bytes,
                          std::span<std::byte> bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const size_t size = std::min(bytes.size() - done, kDirectPieceBytes);
    const ssize_t count = ::pread(fd, bytes.data() + done, size,
                                  static_cast<off_t>(offset_bytes + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoError("read", errno);
    done += static_cast<size_t>(count);
    if (count == 0 || static_cast<size_t>(count) % kDirectBytes != 0) break;
  }
  return done;
}

// How much was read past the page cache: none, if that is not possible.
Result<size_t> ReadDirect(int fd, uint64_t offset_bytes,
                          std::span<std::byte> bytes) {
  const size_t size = RoundDownToDirect(bytes.size());
  if (size < kLeastDirectBytes || offset_bytes % kDirectBytes != 0 ||
      !IsDirectAligned(bytes.data()) || !SetDirect(fd, true)) {
    return size_t{0};
  }
  auto done = ReadPieces(fd, offset_bytes, bytes.first(size));
  (void)SetDirect(fd, false);
  // What it cannot do, or cannot read, is for the page cache to try.
  return done ? done : size_t{0};
}

}  // namespace

BounceBuffer::BounceBuffer()
    : bytes_(
          static_cast<std::byte*>(std::aligned_alloc(kDirectBytes, kBytes))) {
  if (bytes_ == nullptr) throw std::bad_alloc();
}

void BounceBuffer::Free::operator()(std::byte* bytes) const {
  std::free(bytes);
}

DirectWriter::DirectWriter(int fd, BounceBuffer* buffer)
    : fd_(fd), buffer_(buffer), direct_(SetDirect(fd, true)) {}

size_t DirectWriter::DirectPart(std::span<const std::byte> bytes) const {
  if (bytes.size() < kLeastDirectBytes || !IsDirectAligned(bytes.data()) ||
      buffered_bytes_ % kDirectBytes != 0) {
    return 0;
  }
  return std::min(RoundDownToDirect(bytes.size()), kDirectPieceBytes);
}

Status DirectWriter::Append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    size_t size = DirectPart(bytes);
    if (size > 0) {
      Status written = WriteBuffer();
      if (written) written = WriteNext(bytes.first(size));
      if (!written) return written;
    } else {
      const auto taken = AppendToBuffer(bytes);
      if (!taken) return taken.error();
      size = *taken;
    }
    bytes = bytes.subspan(size);
  }
  return Status();
}

Result<size_t> DirectWriter::AppendToBuffer(std::span<const std::byte> bytes) {
  const std::span<std::byte> room = buffer_->bytes().subspan(buffered_bytes_);
  const size_t size = std::min(bytes.size(), room.size());
  std::memcpy(room.data(), bytes.data(), size);
  buffered_bytes_ += size;
  if (size < room.size()) return size;
  if (Status written = WriteBuffer(); !written) return written.error();
  return size;
}

Status DirectWriter::WriteBuffer() {
  const size_t size = std::exchange(buffered_bytes_, 0);
  return size == 0 ? Status() : WriteNext(buffer_->bytes().first(size));
}

Status DirectWriter::WriteNext(std::span<const std::byte> bytes) {
  Status written = WriteAllAt(fd_, written_bytes_, bytes);
  if (!written && direct_ && written.error().code == Code::kUnsupported) {
    direct_ = false;
    if (SetDirect(fd_, false)) written = WriteAllAt(fd_, written_bytes_, bytes);
  }
  if (written) written_bytes_ += bytes.size();
  return written;
}

Status DirectWriter::Finish() {
  const uint64_t size_bytes = written_bytes_ + buffered_bytes_;
  const size_t rest = buffered_bytes_ % kDirectBytes;
  if (rest > 0) {
    const size_t padding = kDirectBytes - rest;
    std::memset(buffer_->bytes().data() + buffered_bytes_, 0, padding);
    buffered_bytes_ += padding;
  }
  if (Status written = WriteBuffer(); !written) return written;
  if (::ftruncate(fd_, static_cast<off_t>(size_bytes)) != 0) {
    return ErrnoError("ftruncate", errno);
  }
  return Status();
}

Status ReadRange(int fd, uint64_t offset_bytes, std::span<std::byte> bytes) {
  const auto direct = ReadDirect(fd, offset_bytes, bytes);
  if (!direct) return direct.error();
  bytes = bytes.subspan(*direct);
  offset_bytes += *direct;
  while (!bytes.empty()) {
    const auto done = ReadPieces(fd, offset_bytes, bytes);
    if (!done) return done.error();
    if (*done == 0) return EndsEarly();
    bytes = bytes.subspan(*done);
    offset_bytes += *done;
  }
  return Status();
}

}  // namespace vitrine::store
