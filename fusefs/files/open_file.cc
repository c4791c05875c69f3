#include "fusefs/files/open_file.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "schema/base/mapping.h"
#include "schema/base/write_all.h"

namespace vitrine::fusefs {
namespace {

// For hugetlbfs, which has no write(2), and whose files do not grow by writing
// to a mapping.
Status WriteByMapping(int fd, uint64_t page_bytes, uint64_t offset_bytes,
                      std::span<const std::byte> data) {
  struct stat info;
  if (::fstat(fd, &info) != 0) return ErrnoError("fstat segment", errno);
  const uint64_t end = offset_bytes + data.size();
  const uint64_t rounded = (end + page_bytes - 1) / page_bytes * page_bytes;
  if (static_cast<uint64_t>(info.st_size) < rounded &&
      ::ftruncate(fd, static_cast<off_t>(rounded)) != 0) {
    return ErrnoError("ftruncate segment", errno);
  }
  // The whole file up to there: address space is cheap.
  auto mapping = Mapping::Map(fd, rounded, PROT_READ | PROT_WRITE);
  if (!mapping) return mapping.error();
  std::memcpy(mapping->data() + offset_bytes, data.data(), data.size());
  return Status();
}

}  // namespace

Result<std::shared_ptr<OpenFile>> OpenFile::Open(
    Store* store, std::shared_ptr<OpenObjects> objects, const ObjectRef& object,
    uint64_t number, const Use& use) {
  auto opened = objects->Acquire(object, number, use.opener);
  if (!opened) return opened.error();
  std::shared_ptr<OpenFile> file(
      new OpenFile(store, std::move(objects), object, number, use.opener));
  file->opened_ = *std::move(opened);
  if (!use.writes) return file;
  // Without passthrough nobody can map the segment through the mount: the
  // kernel has pages of its own, and every write comes to the store.
  const bool maps = file->backing_id() != 0;
  const auto mode = store->unsealed().BeginWriting(
      object, maps ? PageHolder(use.opener.uid) : kStoreItself);
  if (!mode) return mode.error();
  file->write_mode_ = *mode;
  MutexLock lock(file->mutex_);
  file->objects_->AddWriter(number);
  file->counted_ = true;
  if (use.creates) return file;
  if (const auto extent = file->segment()->Stat()) file->finished_ = *extent;
  return file;
}

void OpenFile::NoteClosed(bool by_killed) {
  const auto extent = segment()->Stat();
  MutexLock lock(mutex_);
  if (!std::exchange(closed_, true)) objects_->NoteWriterClosed(number_);
  if (!by_killed) {
    // dd and shells move a descriptor by dup2 and close.  Such a close does not
    // finish a file that they have just made and not yet written to.
    const bool empty_still = !finished_ && extent && extent->size_bytes == 0;
    if (extent && !empty_still) finished_ = *extent;
    half_written_ = false;
    return;
  }
  half_written_ = !extent || !finished_ ||
                  extent->size_bytes != finished_->size_bytes ||
                  extent->modified_ns != finished_->modified_ns;
}

void OpenFile::StopWriting() {
  MutexLock lock(mutex_);
  if (!std::exchange(counted_, false)) return;
  other_writers_ = objects_->RemoveWriter(number_);
}

bool OpenFile::EndsHalfWritten() {
  StopWriting();
  MutexLock lock(mutex_);
  return half_written_ && other_writers_ == 0;
}

OpenFile::~OpenFile() {
  if (!object_) return;
  StopWriting();
  bool closed = false;
  {
    // The store must not find a writer when it looks at what was written.
    MutexLock lock(mutex_);
    // Closed before it is given back.
    if (std::exchange(writable_, UniqueFd()).valid()) {
      objects_->descriptors().Release(opener_);
    }
    closed = closed_;
  }
  if (write_mode_) store_->unsealed().EndWriting(object_, *write_mode_);
  opened_.segment.reset();
  objects_->Release(number_, opener_, closed);
}

Result<int> OpenFile::WritableFd() {
  MutexLock lock(mutex_);
  if (writable_.valid()) return writable_.get();
  SharedLimit& descriptors = objects_->descriptors();
  if (Status ok = descriptors.Charge(opener_); !ok) return ok.error();
  auto fd = store_->unsealed().OpenForWriting(object_, kStoreItself);
  if (!fd) {
    descriptors.Release(opener_);
    return fd.error();
  }
  writable_ = *std::move(fd);
  return writable_.get();
}

Status OpenFile::WriteAt(uint64_t offset_bytes,
                         std::span<const std::byte> data) {
  const auto fd = WritableFd();
  if (!fd) return fd.error();
  Status written = WriteAllAt(*fd, offset_bytes, data);
  if (!written && written.error().code == Code::kUnsupported) {
    written =
        WriteByMapping(*fd, store_->facts().page_bytes(), offset_bytes, data);
  }
  if (!written) return written;
  store_->unsealed().NoteWritten(object_, offset_bytes + data.size());
  return Status();
}

}  // namespace vitrine::fusefs
