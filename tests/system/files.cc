#include "tests/system/files.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "tests/system/content.h"

namespace vitrine {
namespace {

constexpr size_t kWriteBytes = 128 << 10;  // As cp does.

UniqueFd MakeFile(const std::string& path) {
  return UniqueFd(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
}

int WriteAll(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote =
        ::write(fd, bytes.data(), std::min(bytes.size(), kWriteBytes));
    if (wrote < 0) return errno;
    bytes = bytes.subspan(static_cast<size_t>(wrote));
  }
  return 0;
}

}  // namespace

int WriteContent(const std::string& path, const std::string& id,
                 uint64_t size_bytes) {
  std::vector<std::byte> bytes(size_bytes);
  FillContent(id, bytes);
  const UniqueFd fd = MakeFile(path);
  return fd.valid() ? WriteAll(fd.get(), bytes) : errno;
}

int MapContent(const std::string& path, const std::string& id,
               uint64_t size_bytes) {
  const UniqueFd fd = MakeFile(path);
  if (!fd.valid()) return errno;
  if (::ftruncate(fd.get(), static_cast<off_t>(size_bytes)) != 0) return errno;
  auto mapping = Mapping::Map(fd.get(), size_bytes, PROT_READ | PROT_WRITE);
  if (!mapping) return errno;
  FillContent(id, {mapping->data(), size_bytes});
  return 0;
}

int Rename(const std::string& from, const std::string& to) {
  return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

int Unlink(const std::string& path) {
  return ::unlink(path.c_str()) == 0 ? 0 : errno;
}

int TryOpen(const std::string& path, int flags) {
  const UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0644));
  return fd.valid() ? 0 : errno;
}

bool Exists(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0;
}

Mapping MapFile(const std::string& path, int protection) {
  const int flags = (protection & PROT_WRITE) != 0 ? O_RDWR : O_RDONLY;
  const UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC));
  struct stat info;
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0) return Mapping();
  auto mapping =
      Mapping::Map(fd.get(), static_cast<size_t>(info.st_size), protection);
  return mapping ? *std::move(mapping) : Mapping();
}

bool HasContent(const Mapping& mapping, const std::string& id,
                uint64_t size_bytes) {
  return mapping.size_bytes() == size_bytes &&
         CheckContent(id, {mapping.data(), size_bytes}) == size_bytes;
}

bool FileHasContent(const std::string& path, const std::string& id,
                    uint64_t size_bytes) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return fd.valid() && DescriptorHasContent(fd.get(), id, size_bytes);
}

bool DescriptorHasContent(int fd, const std::string& id, uint64_t size_bytes) {
  std::vector<std::byte> bytes(size_bytes + 1);
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::pread(fd, bytes.data() + done, bytes.size() - done,
                                static_cast<off_t>(done));
    if (got < 0) return false;
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  if (done != size_bytes) return false;
  return CheckContent(id, {bytes.data(), size_bytes}) == size_bytes;
}

}  // namespace vitrine
