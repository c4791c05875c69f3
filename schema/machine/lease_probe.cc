#include "schema/machine/lease_probe.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string>

#include "schema/base/mapping.h"
#include "schema/base/unique_fd.h"
#include "schema/machine/file_lease.h"
#include "schema/machine/memory_file_system.h"

namespace vitrine::machine {
namespace {

// Drawn by lot: processes with the same number may share a directory.
std::string ScratchName() {
  uint64_t lot = 0;
  // So few bytes the kernel gives whole.
  static_cast<void>(::getrandom(&lot, sizeof(lot), 0));
  std::array<char, 32> name{};
  std::snprintf(name.data(), name.size(), ".probe-%016llx",
                static_cast<unsigned long long>(lot));
  return name.data();
}

// A file that goes when this does.
class ScratchFile {
 public:
  explicit ScratchFile(int dir) : dir_(dir), name_(ScratchName()) {}
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile() {
    if (made_) ::unlinkat(dir_, name_.c_str(), 0);
  }

  // Makes it, for reading.
  Result<UniqueFd> Make() {
    Result<UniqueFd> fd = Open(O_RDONLY | O_CREAT | O_EXCL);
    made_ = fd.has_value();
    // Whatever the umask.
    if (made_ && ::fchmod(fd->get(), 0600) != 0) {
      return ErrnoError("chmod", errno);
    }
    return fd;
  }
  Result<UniqueFd> Open(int flags) const {
    for (;;) {
      UniqueFd fd(
          ::openat(dir_, name_.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, 0600));
      if (fd.valid()) return fd;
      if (errno != EINTR) return ErrnoError("open a scratch file", errno);
    }
  }

 private:
  const int dir_;
  const std::string name_;
  bool made_ = false;
};

// Takes a lease of `type` and gives it back: is it granted as it should be?
Status Expect(int fd, int type, bool granted, const char* when) {
  const Result<bool> lease = TakeLease(fd, type);
  if (!lease) return Error{Code::kUnsupported, lease.error().message};
  if (*lease) DropLease(fd);
  if (*lease == granted) return Status();
  return Error{Code::kUnsupported,
               std::string(granted ? "refused " : "granted ") + when};
}

// Leases must see a writable mapping whose descriptor is closed.
Status ProbeWriters(const ScratchFile& scratch, int own, uint64_t page_bytes) {
  Result<UniqueFd> writer = scratch.Open(O_RDWR);
  if (!writer) return writer.error();
  while (::ftruncate(writer->get(), static_cast<off_t>(page_bytes)) != 0) {
    if (errno != EINTR) return ErrnoError("ftruncate", errno);
  }
  Status status = Expect(own, F_RDLCK, false, "while a writer is there");
  if (!status) return status;
  const Result<Mapping> mapping =
      Mapping::Map(writer->get(), page_bytes, PROT_READ | PROT_WRITE);
  if (!mapping) return mapping.error();
  *writer = UniqueFd();
  return Expect(own, F_RDLCK, false, "while it is mapped writable");
}

// Leases must see readers.
Status ProbeReaders(const ScratchFile& scratch, int own) {
  const Result<UniqueFd> reader = scratch.Open(O_RDONLY);
  if (!reader) return reader.error();
  return Expect(own, F_WRLCK, false, "while a reader is there");
}

}  // namespace

Status ProbeLeases(int dir) {
  const auto system = FileSystemOf(dir, "the directory");
  if (!system) return system.error();
  ScratchFile scratch(dir);
  const Result<UniqueFd> own = scratch.Make();
  if (!own) return own.error();
  Status status = ProbeWriters(scratch, own->get(), system->page_bytes);
  if (status) status = Expect(own->get(), F_RDLCK, true, "without a writer");
  if (status) status = ProbeReaders(scratch, own->get());
  if (status) status = Expect(own->get(), F_WRLCK, true, "to the only user");
  return status;
}

}  // namespace vitrine::machine
