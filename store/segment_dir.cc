#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>

#include "schema/base/mapping.h"
#include "schema/index_layout.h"
#include "store/segment_file.h"

namespace vitrine {
namespace {

constexpr uint64_t kHugePageBytes = 2 * 1024 * 1024;
#ifndef MADV_COLLAPSE
constexpr int MADV_COLLAPSE = 25;
#endif

std::string NameOf(uint64_t number) {
  char name[kSegmentNameChars + 1];
  WriteSegmentName(number, name);
  return name;
}

std::optional<uint64_t> NumberOf(std::string_view name) {
  if (name.size() != kSegmentNameChars) return std::nullopt;
  uint64_t number = 0;
  for (const char digit : name) {
    const size_t value = std::string_view("0123456789abcdef").find(digit);
    if (value == std::string_view::npos) return std::nullopt;
    number = number << 4 | value;
  }
  return number;
}

uint64_t RoundUp(uint64_t bytes, uint64_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

// Sizes that off_t holds, with room for rounding up.
Status CheckRange(uint64_t offset_bytes, uint64_t size_bytes) {
  constexpr uint64_t kMaxBytes = uint64_t{1} << 62;
  if (offset_bytes > kMaxBytes || size_bytes > kMaxBytes - offset_bytes) {
    return Error{Code::kTooLarge, "a segment of more than 2^62 bytes"};
  }
  return Status();
}

Result<UniqueFd> OpenAt(int dir, const std::string& name, int flags,
                        mode_t mode = 0) {
  for (;;) {
    UniqueFd fd(
        ::openat(dir, name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, mode));
    if (fd.valid()) return fd;
    if (errno != EINTR) return ErrnoError("open segment " + name, errno);
  }
}

Status Truncate(int fd, uint64_t size_bytes) {
  while (::ftruncate(fd, static_cast<off_t>(size_bytes)) != 0) {
    if (errno != EINTR) return ErrnoError("ftruncate segment", errno);
  }
  return Status();
}

Status Allocate(int fd, uint64_t offset_bytes, uint64_t size_bytes) {
  while (::fallocate(fd, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset_bytes),
                     static_cast<off_t>(size_bytes)) != 0) {
    if (errno != EINTR) return ErrnoError("fallocate segment", errno);
  }
  return Status();
}

// On hugetlbfs, fallocate that fails half-way keeps what it got.  Mapping the
// range first reserves all of it or nothing, and the file keeps the
// reservation when the mapping goes; fallocate then takes from it.
Status AllocateHuge(int fd, uint64_t offset_bytes, uint64_t size_bytes) {
  if (size_bytes == 0) return Status();
  void* data = ::mmap(nullptr, size_bytes, PROT_READ, MAP_SHARED, fd,
                      static_cast<off_t>(offset_bytes));
  if (data == MAP_FAILED) return ErrnoError("reserve huge pages", errno);
  ::munmap(data, size_bytes);
  return Allocate(fd, offset_bytes, size_bytes);
}

Status WriteAll(int fd, uint64_t offset_bytes,
                std::span<const std::byte> data) {
  while (!data.empty()) {
    const ssize_t put = ::pwrite(fd, data.data(), data.size(),
                                 static_cast<off_t>(offset_bytes));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return ErrnoError("pwrite segment", errno);
    if (put == 0) return Error{Code::kIoError, "pwrite segment: wrote nothing"};
    offset_bytes += static_cast<uint64_t>(put);
    data = data.subspan(static_cast<size_t>(put));
  }
  return Status();
}

// A file under a name of its own that goes when this does.
class ScratchFile {
 public:
  explicit ScratchFile(int dir) : dir_(dir) {
    static std::atomic<uint64_t> last{0};
    name_ = ".probe-" + std::to_string(::getpid()) + "-" +
            std::to_string(last.fetch_add(1));
  }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile() { ::unlinkat(dir_, name_.c_str(), 0); }

  Result<UniqueFd> Open(int flags) const {
    return OpenAt(dir_, name_, flags, 0600);
  }

 private:
  const int dir_;
  std::string name_;
};

Error LeaseError(const std::string& path, const std::string& why) {
  return Error{Code::kUnsupported,
               path + ": the kernel grants no truthful file leases there (" +
                   why +
                   "); choose a directory on tmpfs, and a kernel with "
                   "CONFIG_FILE_LOCKING"};
}

Status Expect(const std::string& path, const Result<bool>& lease, bool granted,
              const char* when) {
  if (!lease) return LeaseError(path, lease.error().message);
  if (*lease == granted) return Status();
  return LeaseError(path,
                    std::string(granted ? "refused " : "granted ") + when);
}

// Leases must see a writable mapping whose descriptor is closed.
Status ProbeWriters(const std::string& path, const ScratchFile& scratch,
                    const SegmentFile& own, uint64_t page_bytes) {
  Result<UniqueFd> writer = scratch.Open(O_RDWR);
  if (!writer) return writer.error();
  Status status = Truncate(writer->get(), page_bytes);
  if (!status) return status;
  status = Expect(path, own.NobodyWrites(), false, "while a writer is there");
  if (!status) return status;
  Result<Mapping> mapping =
      Mapping::Map(writer->get(), page_bytes, PROT_READ | PROT_WRITE);
  if (!mapping) return LeaseError(path, mapping.error().message);
  *writer = UniqueFd();
  return Expect(path, own.NobodyWrites(), false, "while it is mapped writable");
}

// Leases must see readers, and nobody where there is nobody.
Status ProbeReaders(const std::string& path, const ScratchFile& scratch,
                    const SegmentFile& own) {
  Status status = Expect(path, own.NobodyWrites(), true, "without a writer");
  if (!status) return status;
  {
    Result<UniqueFd> reader = scratch.Open(O_RDONLY);
    if (!reader) return reader.error();
    status = Expect(path, own.LeaseAlone(), false, "while a reader is there");
    if (!status) return status;
  }
  status = Expect(path, own.LeaseAlone(), true, "to the only user");
  own.Unlease();
  return status;
}

Status ProbeLeases(const std::string& path, int dir, uint64_t page_bytes) {
  const ScratchFile scratch(dir);
  Result<UniqueFd> made = scratch.Open(O_RDONLY | O_CREAT | O_EXCL);
  if (!made) return made.error();
  if (::fchmod(made->get(), 0600) != 0) {  // Whatever the umask.
    return ErrnoError("chmod in " + path, errno);
  }
  const SegmentFile own(std::move(*made));
  Status status = ProbeWriters(path, scratch, own, page_bytes);
  if (!status) return status;
  return ProbeReaders(path, scratch, own);
}

// A count of huge pages of `page_bytes` from sysfs; 0 if it is not there.
uint64_t HugePageCount(uint64_t page_bytes, const char* name) {
  std::ifstream file("/sys/kernel/mm/hugepages/hugepages-" +
                     std::to_string(page_bytes / 1024) + "kB/" + name);
  uint64_t count = 0;
  file >> count;
  return file ? count : 0;
}

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

}  // namespace

Result<SegmentDir> SegmentDir::Open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError("open " + path, errno);
  struct statfs info;
  if (::fstatfs(fd.get(), &info) != 0) {
    return ErrnoError("statfs " + path, errno);
  }
  const bool hugetlbfs = info.f_type == HUGETLBFS_MAGIC;
  if (!hugetlbfs && info.f_type != TMPFS_MAGIC) {
    return Error{Code::kUnsupported,
                 path + " is neither on tmpfs nor on hugetlbfs"};
  }
  const auto page_bytes =
      static_cast<uint64_t>(hugetlbfs ? info.f_bsize : ::sysconf(_SC_PAGESIZE));
  Status status = ProbeLeases(path, fd.get(), page_bytes);
  if (!status) return status.error();
  return SegmentDir(path, std::move(fd), hugetlbfs, page_bytes);
}

Status SegmentDir::Create(uint64_t number) {
  const std::string name = NameOf(number);
  Result<UniqueFd> fd =
      OpenAt(fd_.get(), name, O_RDONLY | O_CREAT | O_EXCL, 0600);
  if (!fd) return fd.error();
  // The umask may have taken bits away.
  if (::fchmod(fd->get(), 0600) == 0) return Status();
  const int reason = errno;
  ::unlinkat(fd_.get(), name.c_str(), 0);
  return ErrnoError("chmod segment " + name, reason);
}

Result<std::shared_ptr<SegmentFile>> SegmentDir::OpenShared(
    uint64_t number) const {
  Result<UniqueFd> fd = OpenFresh(number, O_RDONLY);
  if (!fd) return fd.error();
  return std::make_shared<SegmentFile>(std::move(*fd));
}

Result<UniqueFd> SegmentDir::OpenFresh(uint64_t number, int flags) const {
  return OpenAt(fd_.get(), NameOf(number), flags);
}

Status SegmentDir::SetSize(uint64_t number, uint64_t size_bytes) {
  Status status = CheckRange(0, size_bytes);
  if (!status) return status;
  Result<UniqueFd> fd = OpenFresh(number, O_RDWR);
  if (!fd) return fd.error();
  return Truncate(fd->get(),
                  hugetlbfs_ ? RoundUp(size_bytes, page_bytes_) : size_bytes);
}

Status SegmentDir::Reserve(uint64_t number, uint64_t offset_bytes,
                           uint64_t size_bytes) {
  Status status = CheckRange(offset_bytes, size_bytes);
  if (!status || size_bytes == 0) return status;
  Result<UniqueFd> fd = OpenFresh(number, O_RDWR);
  if (!fd) return fd.error();
  if (!hugetlbfs_) return Allocate(fd->get(), offset_bytes, size_bytes);
  const uint64_t begin = offset_bytes / page_bytes_ * page_bytes_;
  const uint64_t end = RoundUp(offset_bytes + size_bytes, page_bytes_);
  return AllocateHuge(fd->get(), begin, end - begin);
}

Status SegmentDir::TrimToSize(uint64_t number) {
  Result<UniqueFd> fd = OpenFresh(number, O_RDWR);
  if (!fd) return fd.error();
  struct stat info;
  if (::fstat(fd->get(), &info) != 0) return ErrnoError("fstat segment", errno);
  // Setting the size that it has gives back what lies beyond.
  Status status = Truncate(fd->get(), static_cast<uint64_t>(info.st_size));
  if (!status) return status;
  const struct timespec times[] = {{0, UTIME_OMIT}, info.st_mtim};
  if (::futimens(fd->get(), times) == 0) return Status();
  return ErrnoError("futimens segment", errno);
}

void SegmentDir::Collapse(uint64_t number, uint64_t size_bytes) {
  const uint64_t whole_bytes = size_bytes / kHugePageBytes * kHugePageBytes;
  if (hugetlbfs_ || whole_bytes == 0) return;
  Result<UniqueFd> fd = OpenFresh(number, O_RDONLY);
  if (!fd) return;
  Result<Mapping> mapping = Mapping::Map(fd->get(), whole_bytes, PROT_READ);
  if (!mapping) return;
  // One range that cannot be collapsed must not keep the others from it.
  for (uint64_t offset = 0; offset < whole_bytes; offset += kHugePageBytes) {
    ::madvise(mapping->data() + offset, kHugePageBytes, MADV_COLLAPSE);
  }
}

Status SegmentDir::WriteAt(uint64_t number, uint64_t offset_bytes,
                           std::span<const std::byte> data) {
  Status status = CheckRange(offset_bytes, data.size());
  if (!status || data.empty()) return status;
  Result<UniqueFd> fd = OpenFresh(number, O_RDWR);
  if (!fd) return fd.error();
  if (!hugetlbfs_) return WriteAll(fd->get(), offset_bytes, data);
  return WriteHuge(fd->get(), offset_bytes, data);
}

// write(2) does not exist on hugetlbfs, and its files do not grow by mapping.
Status SegmentDir::WriteHuge(int fd, uint64_t offset_bytes,
                             std::span<const std::byte> data) {
  struct stat info;
  if (::fstat(fd, &info) != 0) return ErrnoError("fstat segment", errno);
  const uint64_t end = RoundUp(offset_bytes + data.size(), page_bytes_);
  if (static_cast<uint64_t>(info.st_size) < end) {
    Status status = Truncate(fd, end);
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
  if (::utimensat(fd_.get(), NameOf(number).c_str(), times, 0) == 0) {
    return Status();
  }
  return ErrnoError("utimensat segment " + NameOf(number), errno);
}

Status SegmentDir::MakeReadOnly(uint64_t number, bool readable_by_all) {
  const mode_t mode = readable_by_all ? 0444 : 0400;
  if (::fchmodat(fd_.get(), NameOf(number).c_str(), mode, 0) == 0) {
    return Status();
  }
  return ErrnoError("chmod segment " + NameOf(number), errno);
}

Status SegmentDir::Unlink(uint64_t number) {
  if (::unlinkat(fd_.get(), NameOf(number).c_str(), 0) == 0) return Status();
  return ErrnoError("unlink segment " + NameOf(number), errno);
}

Result<std::vector<uint64_t>> SegmentDir::ListAll() const {
  // A description of its own: reading moves the position.
  UniqueFd fd(::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError("open " + path_, errno);
  const std::unique_ptr<DIR, CloseDir> dir(::fdopendir(fd.get()));
  if (dir == nullptr) return ErrnoError("fdopendir " + path_, errno);
  fd.release();  // closedir closes it.
  std::vector<uint64_t> numbers;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr && errno != 0) {
      return ErrnoError("readdir " + path_, errno);
    }
    if (entry == nullptr) return numbers;
    const std::optional<uint64_t> number = NumberOf(entry->d_name);
    if (number) numbers.push_back(*number);
  }
}

std::string SegmentDir::PathOf(uint64_t number) const {
  return path_ + "/" + NameOf(number);
}

Result<UniqueFd> SegmentDir::OpenPath() const {
  return OpenAt(fd_.get(), ".", O_PATH | O_DIRECTORY);
}

Result<SegmentDir::Space> SegmentDir::GetSpace() const {
  struct statvfs info;
  if (::fstatvfs(fd_.get(), &info) != 0) {
    return ErrnoError("statvfs " + path_, errno);
  }
  if (hugetlbfs_) return HugeSpace(info.f_blocks, info.f_bfree);
  if (info.f_blocks != 0) {
    return Space{info.f_blocks * info.f_frsize, info.f_bfree * info.f_frsize};
  }
  // A tmpfs without a limit: memory itself is the limit.
  struct sysinfo memory;
  if (::sysinfo(&memory) != 0) return ErrnoError("sysinfo", errno);
  return Space{uint64_t{memory.totalram} * memory.mem_unit,
               uint64_t{memory.freeram} * memory.mem_unit};
}

// The mount may have a limit; the pool of huge pages always is one.
SegmentDir::Space SegmentDir::HugeSpace(uint64_t mount_pages,
                                        uint64_t mount_free_pages) const {
  uint64_t total = HugePageCount(page_bytes_, "nr_hugepages");
  uint64_t free = HugePageCount(page_bytes_, "free_hugepages");
  free -= std::min(free, HugePageCount(page_bytes_, "resv_hugepages"));
  const bool limited = mount_pages != 0 && mount_pages < UINT64_MAX / 2;
  if (limited) {
    total = std::min(total, mount_pages);
    free = std::min(free, mount_free_pages);
  }
  return Space{total * page_bytes_, free * page_bytes_};
}

}  // namespace vitrine
