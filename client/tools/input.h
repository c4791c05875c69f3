// The input of `vitrine put`: files, pipes, devices.
#ifndef VITRINE_CLIENT_TOOLS_INPUT_H_
#define VITRINE_CLIENT_TOOLS_INPUT_H_

#include <vitrine/result.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "schema/base/unique_fd.h"

namespace vitrine::tools {

// Called now and then with the bytes read so far.
using OnRead = std::function<void(uint64_t done_bytes)>;

// An open source of bytes.  One thread.
class Input {
 public:
  // kInvalidArgument: a directory.  kIoError, kNotFound, ...: as open(2) says.
  static Result<Input> OpenFile(const std::string& path);
  static Result<Input> StandardInput();

  // Bytes left to read, if that is known beforehand.
  std::optional<uint64_t> size_bytes() const { return size_bytes_; }
  // Permission bits of a regular file; else 0666.
  unsigned mode() const { return mode_; }

  // Fills `target`, which has size_bytes() bytes.  kIoError: the file is
  // shorter or longer than it was.
  Status ReadExactly(std::span<std::byte> target, const OnRead& on_read);
  // Reads at most `target.size()` bytes; 0: the end.
  Result<size_t> ReadSome(std::span<std::byte> target);

 private:
  static Result<Input> Inspect(UniqueFd fd);
  explicit Input(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
  std::optional<uint64_t> size_bytes_;
  unsigned mode_ = 0666;
};

// Private memory that grows without being copied.  Move-only.  One thread.
class GrowingBuffer {
 public:
  GrowingBuffer() = default;
  GrowingBuffer(GrowingBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        used_bytes_(std::exchange(other.used_bytes_, 0)),
        size_bytes_(std::exchange(other.size_bytes_, 0)) {}
  GrowingBuffer& operator=(GrowingBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(used_bytes_, other.used_bytes_);
    std::swap(size_bytes_, other.size_bytes_);
    return *this;
  }
  ~GrowingBuffer();

  // Reads `input` to its end.  kOutOfMemory: it does not fit into memory.
  Status Fill(Input& input, const OnRead& on_read);
  std::span<const std::byte> bytes() const { return {data_, used_bytes_}; }

 private:
  Status Grow();

  std::byte* data_ = nullptr;
  size_t used_bytes_ = 0;
  size_t size_bytes_ = 0;
};

}  // namespace vitrine::tools

#endif  // VITRINE_CLIENT_TOOLS_INPUT_H_
