#include "store/segments/segment_dir.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <memory>

#include "schema/base/mapping.h"
#include "schema/base/write_all.h"
#include "schema/machine/collapse_probe.h"
#include "schema/machine/huge_write_probe.h"
#include "schema/machine/hugetlb_pool.h"
#include "schema/machine/lease_probe.h"
#include "schema/machine/tmpfs_huge_policy.h"
#include "store/segments/segment_calls.h"
#include "store/segments/segment_file.h"

namespace vitrine::store {
namespace {

// Sets the policy by which the pages of a file on tmpfs are allocated.  The
// range may go beyond the end of the file; it covers the machine's memory, and
// no segment is larger.
Status SetFilePolicy(int fd, const NumaPolicy& policy) {
  const auto most_bytes = static_cast<size_t>(::sysconf(_SC_PHYS_PAGES)) *
                          static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  auto mapping = Mapping::Map(fd, most_bytes, PROT_NONE);
  if (!mapping) return mapping.error();
  return policy.Apply(mapping->data(), most_bytes);
}

// Allocates huge pages through a mapping that has the policy.  Kernels that
// cannot populate a mapping take them from any node.
Status PopulateHuge(int fd, uint64_t offset_bytes, uint64_t size_bytes,
                    const NumaPolicy& policy) {
  if (size_bytes == 0) return Status();
  // Reserves all of the pages, or none.
  void* data = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                      fd, static_cast<off_t>(offset_bytes));
  if (data == MAP_FAILED) return ErrnoError("reserve huge pages", errno);
  Status done = policy.Apply(data, size_bytes);
  if (done) done = Populate(static_cast<std::byte*>(data), size_bytes);
  ::munmap(data, size_bytes);
  if (done) return done;
  if (done.error().code == Code::kUnsupported) {
    return ReserveSegment(fd, offset_bytes, size_bytes);
  }
  return Error{done.error().code,
               done.error().message + " on NUMA " + policy.Describe()};
}

Status ProbeLeases(const std::string& path, int dir) {
  const Status status = machine::ProbeLeases(dir);
  if (status) return status;
  const Error& error = status.error();
  if (error.code != Code::kUnsupported) {
    return Error{error.code, path + ": file leases: " + error.message};
  }
  return Error{Code::kUnsupported,
               path + ": the kernel grants no truthful file leases there (" +
                   error.message +
                   "); choose a directory on tmpfs, and a kernel with "
                   "CONFIG_FILE_LOCKING"};
}

}  // namespace

Result<SegmentDir> SegmentDir::Open(const std::string& path,
                                    const std::string& retired_path) {
  Result<UniqueFd> opened = OpenSegmentDir(path);
  if (!opened) return opened.error();
  UniqueFd fd = *std::move(opened);
  const auto system = machine::FileSystemOf(fd.get(), path);
  if (!system) return system.error();
  if (!system->is_hugetlbfs() && !system->is_tmpfs()) {
    return Error{Code::kUnsupported,
                 path + " is neither on tmpfs nor on hugetlbfs"};
  }
  Status status = ProbeLeases(path, fd.get());
  if (!status) return status.error();
  UniqueFd retired_fd;
  if (!retired_path.empty()) {
    Result<UniqueFd> retired = OpenSegmentDir(retired_path);
    if (!retired) return retired.error();
    retired_fd = *std::move(retired);
    status = UnlinkSegments(retired_fd.get(), retired_path);
    if (!status) return status.error();
  }
  return SegmentDir(path, std::move(fd), std::move(retired_fd),
                    system->is_hugetlbfs(), system->page_bytes,
                    system->is_hugetlbfs() ? system->page_bytes
                                           : machine::LargestTmpfsPageBytes());
}

Status SegmentDir::Create(uint64_t number) {
  return CreateIn(fd_.get(), number);
}

Status SegmentDir::CreateIn(int dir, uint64_t number) {
  const std::string name = SegmentName(number);
  Status made = CreateSegmentAt(dir, name);
  // On hugetlbfs files have no policy: see Allocate.
  if (!made || numa_.is_default() || hugetlbfs_) return made;
  Result<UniqueFd> fd = OpenSegmentAt(dir, name, O_RDONLY);
  made = fd ? SetFilePolicy(fd->get(), numa_) : fd.error();
  if (!made) ::unlinkat(dir, name.c_str(), 0);
  return made;
}

Status SegmentDir::Allocate(int fd, uint64_t offset_bytes,
                            uint64_t size_bytes) {
  if (!hugetlbfs_) return ReserveSegment(fd, offset_bytes, size_bytes);
  if (numa_.is_default()) return ReserveHuge(fd, offset_bytes, size_bytes);
  return PopulateHuge(fd, offset_bytes, size_bytes, numa_);
}

Result<std::shared_ptr<SegmentFile>> SegmentDir::OpenShared(
    uint64_t number) const {
  Result<UniqueFd> fd = OpenFresh(number, O_RDONLY);
  if (!fd) return fd.error();
  return std::make_shared<SegmentFile>(std::move(*fd));
}

Result<UniqueFd> SegmentDir::OpenFresh(uint64_t number, int flags) const {
  return OpenSegmentAt(fd_.get(), SegmentName(number), flags);
}

uint64_t SegmentDir::FileBytes(uint64_t size_bytes) const {
  return hugetlbfs_ ? RoundUpTo(size_bytes, page_bytes_) : size_bytes;
}

Status SegmentDir::SetSize(uint64_t number, uint64_t size_bytes) {
  Status status = CheckSegmentRange(0, size_bytes);
  if (!status) return status;
  Result<UniqueFd> fd = OpenFresh(number, O_RDWR);
  if (!fd) return fd.error();
  if (!hugetlbfs_) return TruncateSegment(fd->get(), size_bytes);
  struct stat info;
  if (::fstat(fd->get(), &info) != 0) return ErrnoError("fstat segment", errno);
  const bool grows =
      static_cast<uint64_t>(info.st_size) < FileBytes(size_bytes);
  status = TruncateSegment(fd->get(), FileBytes(size_bytes));
  // Bytes that are cut off must not show again when the segment grows.
  if (!status || grows) return status;
  return ClearTail(fd->get(), size_bytes, page_bytes_);
}

Status SegmentDir::Reserve(uint64_t number, uint64_t offset_bytes,
                           uint64_t size_bytes) {
  Status status = CheckSegmentRange(offset_bytes, size_bytes);
  if (!status || size_bytes == 0) return status;
  Result<UniqueFd> fd = OpenFresh(number, O_RDWR);
  if (!fd) return fd.error();
  if (!hugetlbfs_) return Allocate(fd->get(), offset_bytes, size_bytes);
  const uint64_t begin = offset_bytes / page_bytes_ * page_bytes_;
  const uint64_t end = RoundUpTo(offset_bytes + size_bytes, page_bytes_);
  return Allocate(fd->get(), begin, end - begin);
}

Status SegmentDir::TrimToSize(uint64_t number) {
  Result<UniqueFd> fd = OpenFresh(number, O_RDWR);
  if (!fd) return fd.error();
  struct stat info;
  if (::fstat(fd->get(), &info) != 0) return ErrnoError("fstat segment", errno);
  // Setting the current size frees the memory beyond it.
  Status status =
      TruncateSegment(fd->get(), static_cast<uint64_t>(info.st_size));
  if (!status) return status;
  const struct timespec times[] = {{0, UTIME_OMIT}, info.st_mtim};
  if (::futimens(fd->get(), times) == 0) return Status();
  return ErrnoError("futimens segment", errno);
}

void SegmentDir::Collapse(uint64_t number, uint64_t size_bytes) const {
  if (hugetlbfs_ || size_bytes < kTmpfsHugePageBytes) return;
  Result<UniqueFd> fd = OpenFresh(number, O_RDONLY);
  if (fd) CollapseSegment(fd->get(), size_bytes);
}

void SegmentDir::UseHugePages() {
  huge_pages_ = true;
  huge_writes_ = static_cast<bool>(machine::ProbeHugeWrites(fd_.get()));
}

void SegmentDir::TryCollapse() {
  if (hugetlbfs_ || !machine::ProbeCollapse(fd_.get())) return;
  collapsed_bytes_ = std::make_unique<std::atomic<uint64_t>>(0);
}

Status SegmentDir::WriteAt(uint64_t number, uint64_t offset_bytes,
                           std::span<const std::byte> data) {
  Status status = CheckSegmentRange(offset_bytes, data.size());
  if (!status || data.empty()) return status;
  Result<UniqueFd> fd = OpenFresh(number, O_RDWR);
  if (!fd) return fd.error();
  if (!hugetlbfs_) return WriteAllAt(fd->get(), offset_bytes, data);
  return WriteHuge(fd->get(), offset_bytes, data);
}

// A part of a page would be cleared and stay where it is, if the page is
// pinned.
Status SegmentDir::TakeOutPages(uint64_t number, uint64_t offset_bytes,
                                uint64_t size_bytes) {
  assert(offset_bytes % largest_page_bytes_ == 0);
  assert(size_bytes % largest_page_bytes_ == 0);
  Result<UniqueFd> fd = OpenFresh(number, O_RDWR);
  if (!fd) return fd.error();
  return PunchSegment(fd->get(), offset_bytes, size_bytes);
}

Status SegmentDir::PutInPages(uint64_t number, uint64_t offset_bytes,
                              std::span<const std::byte> data) {
  // Otherwise writes of whole huge pages get those, uncleared.
  if (hugetlbfs_ || (huge_pages_ && !huge_writes_)) {
    Status reserved = Reserve(number, offset_bytes, data.size());
    if (!reserved) return reserved;
  }
  return WriteAt(number, offset_bytes, data);
}

// hugetlbfs has no write(2), and its files do not grow by mapping.
Status SegmentDir::WriteHuge(int fd, uint64_t offset_bytes,
                             std::span<const std::byte> data) {
  struct stat info;
  if (::fstat(fd, &info) != 0) return ErrnoError("fstat segment", errno);
  const uint64_t end = RoundUpTo(offset_bytes + data.size(), page_bytes_);
  if (static_cast<uint64_t>(info.st_size) < end) {
    Status status = TruncateSegment(fd, end);
    if (!status) return status;
  }
  const uint64_t begin = offset_bytes / page_bytes_ * page_bytes_;
  void* memory = ::mmap(nullptr, end - begin, PROT_READ | PROT_WRITE,
                        MAP_SHARED, fd, static_cast<off_t>(begin));
  if (memory == MAP_FAILED) return ErrnoError("mmap segment", errno);
  std::memcpy(static_cast<std::byte*>(memory) + (offset_bytes - begin),
              data.data(), data.size());
  ::munmap(memory, end - begin);
  return Status();
}

Status SegmentDir::SetModified(uint64_t number, int64_t modified_ns) {
  constexpr int64_t kSecond = 1'000'000'000;
  int64_t seconds = modified_ns / kSecond;
  int64_t rest = modified_ns % kSecond;
  if (rest < 0) {
    --seconds;
    rest += kSecond;
  }
  const struct timespec times[] = {{0, UTIME_OMIT}, {seconds, rest}};
  if (::utimensat(fd_.get(), SegmentName(number).c_str(), times, 0) == 0) {
    return Status();
  }
  return ErrnoError("utimensat segment " + SegmentName(number), errno);
}

Status SegmentDir::MakeReadOnly(uint64_t number, bool readable_by_all) {
  const mode_t mode = readable_by_all ? 0444 : 0400;
  if (::fchmodat(fd_.get(), SegmentName(number).c_str(), mode, 0) == 0) {
    return Status();
  }
  return ErrnoError("chmod segment " + SegmentName(number), errno);
}

Status SegmentDir::Unlink(uint64_t number) {
  if (::unlinkat(fd_.get(), SegmentName(number).c_str(), 0) == 0)
    return Status();
  return ErrnoError("unlink segment " + SegmentName(number), errno);
}

Result<std::vector<uint64_t>> SegmentDir::ListAll() const {
  return ListSegments(fd_.get(), path_);
}

Result<std::optional<uint64_t>> SegmentDir::SealedBytes(uint64_t number) const {
  constexpr uint64_t kBlockBytes = 512;
  struct stat info;
  const std::string name = SegmentName(number);
  if (::fstatat(fd_.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return std::optional<uint64_t>();
    return ErrnoError("stat segment " + name, errno);
  }
  if ((info.st_mode & 0222) != 0) return std::optional<uint64_t>();
  return std::optional(static_cast<uint64_t>(info.st_blocks) * kBlockBytes);
}

std::string SegmentDir::PathOf(uint64_t number) const {
  return path_ + "/" + SegmentName(number);
}

Result<UniqueFd> SegmentDir::OpenPath() const {
  return OpenSegmentAt(fd_.get(), ".", O_PATH | O_DIRECTORY);
}

uint64_t SegmentDir::FreeBytes() const {
  const auto system = machine::FileSystemOf(fd_.get(), path_);
  if (!system || (!hugetlbfs_ && !system->limit)) return UINT64_MAX;
  if (hugetlbfs_) return HugeSpace(system->limit).free_bytes;
  return system->limit->free_pages * system->page_bytes;
}

Result<SegmentDir::Space> SegmentDir::GetSpace() const {
  const auto system = machine::FileSystemOf(fd_.get(), path_);
  if (!system) return system.error();
  if (hugetlbfs_) return HugeSpace(system->limit);
  if (system->limit) {
    return Space{system->limit->pages * system->page_bytes,
                 system->limit->free_pages * system->page_bytes};
  }
  // A tmpfs without a limit: memory itself is the limit.
  struct sysinfo memory;
  if (::sysinfo(&memory) != 0) return ErrnoError("sysinfo", errno);
  return Space{uint64_t{memory.totalram} * memory.mem_unit,
               uint64_t{memory.freeram} * memory.mem_unit};
}

// The mount may have a limit; the pool of huge pages always is one.
SegmentDir::Space SegmentDir::HugeSpace(
    const std::optional<machine::MemoryFileSystem::Limit>& mount) const {
  const machine::HugetlbPool pool = machine::ReadHugetlbPool(page_bytes_);
  uint64_t total = pool.pages;
  uint64_t free = pool.free_pages;
  if (mount) {
    total = std::min(total, mount->pages);
    free = std::min(free, mount->free_pages);
  }
  return Space{total * page_bytes_, free * page_bytes_};
}

}  // namespace vitrine::store
