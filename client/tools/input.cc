#include "client/tools/input.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace vitrine::tools {
namespace {

constexpr size_t kReadBytes = 8 << 20;
constexpr size_t kFirstBufferBytes = 1 << 20;

}  // namespace

Result<Input> Input::OpenFile(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError("open", errno);
  return Inspect(std::move(fd));
}

Result<Input> Input::StandardInput() {
  UniqueFd fd(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoError("standard input", errno);
  return Inspect(std::move(fd));
}

Result<Input> Input::Inspect(UniqueFd fd) {
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return ErrnoError("fstat", errno);
  if (S_ISDIR(info.st_mode)) {
    return Error{Code::kInvalidArgument, "it is a directory"};
  }
  Input input(std::move(fd));
  if (!S_ISREG(info.st_mode)) return input;
  input.mode_ = info.st_mode & 0777;
  // Files of /proc report a size of 0 although they have content.
  if (info.st_size == 0) return input;
  const off_t offset = ::lseek(input.fd_.get(), 0, SEEK_CUR);
  if (offset < 0) return ErrnoError("lseek", errno);
  const off_t left = std::max<off_t>(0, info.st_size - offset);
  input.size_bytes_ = static_cast<uint64_t>(left);
  // Reading ahead is a hint; without it the file is read all the same.
  (void)::posix_fadvise(input.fd_.get(), offset, left, POSIX_FADV_SEQUENTIAL);
  return input;
}

Result<size_t> Input::ReadSome(std::span<std::byte> target) {
  for (;;) {
    const ssize_t count = ::read(fd_.get(), target.data(), target.size());
    if (count >= 0) return static_cast<size_t>(count);
    if (errno != EINTR) return ErrnoError("read", errno);
  }
}

Status Input::ReadExactly(std::span<std::byte> target, const OnRead& on_read) {
  size_t done = 0;
  while (done < target.size()) {
    const auto rest = target.subspan(done);
    auto count = ReadSome(rest.first(std::min(rest.size(), kReadBytes)));
    if (!count) return count.error();
    if (*count == 0) {
      return Error{Code::kIoError, "the file shrank while it was read"};
    }
    done += *count;
    on_read(done);
  }
  std::byte beyond;
  auto count = ReadSome({&beyond, 1});
  if (!count) return count.error();
  if (*count != 0) {
    return Error{Code::kIoError, "the file grew while it was read"};
  }
  return {};
}

GrowingBuffer::~GrowingBuffer() {
  if (data_ != nullptr) ::munmap(data_, size_bytes_);
}

Status GrowingBuffer::Grow() {
  const size_t size =
      size_bytes_ == 0 ? kFirstBufferBytes
                       : size_bytes_ + std::min<size_t>(size_bytes_, 1 << 30);
  void* data = size_bytes_ == 0
                   ? ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                   : ::mremap(data_, size_bytes_, size, MREMAP_MAYMOVE);
  if (data == MAP_FAILED) {
    return Error{Code::kOutOfMemory, "the input does not fit into memory"};
  }
  data_ = static_cast<std::byte*>(data);
  size_bytes_ = size;
  return {};
}

Status GrowingBuffer::Fill(Input& input, const OnRead& on_read) {
  for (;;) {
    if (used_bytes_ == size_bytes_) {
      if (Status grown = Grow(); !grown) return grown;
    }
    const size_t room = std::min(size_bytes_ - used_bytes_, kReadBytes);
    auto count = input.ReadSome({data_ + used_bytes_, room});
    if (!count) return count.error();
    if (*count == 0) return {};
    used_bytes_ += *count;
    on_read(used_bytes_);
  }
}

}  // namespace vitrine::tools
