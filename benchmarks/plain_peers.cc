#include "benchmarks/plain_peers.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <iterator>

#include "benchmarks/die.h"
#include "schema/base/unique_fd.h"

namespace vitrine {
namespace {

void SetSize(const UniqueFd& fd, const std::string& name, size_t size_bytes) {
  if (::ftruncate(fd.get(), static_cast<off_t>(size_bytes)) != 0) {
    DieOfErrno("ftruncate " + name);
  }
}

// All of an open file, read-only; empty if there is none.
Memory MapAll(const UniqueFd& fd, const std::string& name) {
  if (!fd.valid()) {
    if (errno == ENOENT) return {};
    DieOfErrno("open " + name);
  }
  struct stat file;
  if (::fstat(fd.get(), &file) != 0) DieOfErrno("fstat " + name);
  return {fd.get(), static_cast<size_t>(file.st_size), PROT_READ};
}

UniqueFd OpenNew(const std::string& path) {
  UniqueFd fd(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) DieOfErrno("create " + path);
  return fd;
}

void Rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) DieOfErrno("rename " + from);
}

}  // namespace

Memory::Memory(int fd, size_t size_bytes, int protection)
    : size_bytes_(size_bytes) {
  const int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  void* data = ::mmap(nullptr, size_bytes, protection, flags, fd, 0);
  if (data == MAP_FAILED) DieOfErrno("mmap");
  data_ = static_cast<std::byte*>(data);
}

Memory::~Memory() {
  if (data_ != nullptr) ::munmap(data_, size_bytes_);
}

void FilePeer::Put(const Id& id, std::span<const std::byte> bytes) {
  const std::string path = directory_ + id;
  const UniqueFd fd = OpenNew(path + ".unsealed");
  while (!bytes.empty()) {
    const ssize_t wrote =
        ::write(fd.get(), bytes.data(),
                std::min<size_t>(bytes.size(), size_t{1024} * 1024));
    if (wrote <= 0) DieOfErrno("write " + path);
    bytes = bytes.subspan(static_cast<size_t>(wrote));
  }
  Rename(path + ".unsealed", path);
}

FilePeer::Pending FilePeer::Create(const Id& id, size_t size_bytes) {
  const UniqueFd fd = OpenNew(directory_ + id + ".unsealed");
  SetSize(fd, id, size_bytes);
  return {id, Memory(fd.get(), size_bytes, PROT_READ | PROT_WRITE)};
}

void FilePeer::Seal(Pending& pending) {
  pending.memory = Memory();
  Rename(directory_ + pending.id + ".unsealed", directory_ + pending.id);
}

FilePeer::Held FilePeer::Get(const Id& id) {
  const std::string path = directory_ + id;
  return MapAll(UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), path);
}

void FilePeer::GetMany(std::span<const Id> ids, std::vector<Held>* many) {
  many->clear();
  for (const Id& id : ids) many->push_back(Get(id));
}

void FilePeer::Delete(std::span<const Id> ids) {
  for (const Id& id : ids) {
    if (::unlink((directory_ + id).c_str()) != 0) DieOfErrno("unlink " + id);
  }
}

ShmPeer::Pending ShmPeer::Create(const Id& id, size_t size_bytes) {
  const UniqueFd fd(::shm_open(id.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
  if (!fd.valid()) DieOfErrno("shm_open " + id);
  SetSize(fd, id, size_bytes);
  return {fd.get(), size_bytes, PROT_READ | PROT_WRITE};
}

ShmPeer::Held ShmPeer::Get(const Id& id) {
  return MapAll(UniqueFd(::shm_open(id.c_str(), O_RDONLY, 0)), id);
}

void ShmPeer::GetMany(std::span<const Id> ids, std::vector<Held>* many) {
  many->clear();
  for (const Id& id : ids) many->push_back(Get(id));
}

void ShmPeer::Delete(std::span<const Id> ids) {
  for (const Id& id : ids) {
    if (::shm_unlink(id.c_str()) != 0) DieOfErrno("shm_unlink " + id);
  }
}

MemcpyPeer::Pending MemcpyPeer::Create(const Id& /*id*/, size_t size_bytes) {
  if (free_.empty() || free_.back().bytes().size() != size_bytes) {
    return {-1, size_bytes, PROT_READ | PROT_WRITE};
  }
  Memory memory = std::move(free_.back());
  free_.pop_back();
  return memory;
}

void MemcpyPeer::Delete(std::span<const Id> ids) {
  if (ids.size() > sealed_.size()) Die("more deletes than buffers");
  const auto end = sealed_.begin() + static_cast<std::ptrdiff_t>(ids.size());
  std::move(sealed_.begin(), end, std::back_inserter(free_));
  sealed_.erase(sealed_.begin(), end);
}

FutexPeer::FutexPeer(const std::string& address) {
  const std::string path = address + "/futex";
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) DieOfErrno("open " + path);
  SetSize(fd, path, sizeof(uint32_t));
  memory_ = Memory(fd.get(), sizeof(uint32_t), PROT_READ | PROT_WRITE);
}

void FutexPeer::Seal(Pending& pending) {
  word().store(pending + 1, std::memory_order_release);
  ::syscall(SYS_futex, &word(), FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

bool FutexPeer::WaitFor(const Id& id, int64_t timeout_ms) {
  const timespec timeout{timeout_ms / 1000, (timeout_ms % 1000) * 1'000'000};
  uint32_t seen;
  while ((seen = word().load(std::memory_order_acquire)) <= id) {
    if (::syscall(SYS_futex, &word(), FUTEX_WAIT, seen, &timeout, nullptr, 0) !=
            0 &&
        errno == ETIMEDOUT) {
      return false;
    }
  }
  return true;
}

}  // namespace vitrine
