#include "fusefs/files/open_files.h"

#include <linux/falloc.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "fusefs/files/charge_wait.h"
#include "fusefs/files/space_wait.h"
#include "fusefs/kernel/process_state.h"
#include "schema/base/later.h"

namespace vitrine::fusefs {

Answer<OpenFiles::ReadSource> OpenFiles::Read(uint64_t handle, uint64_t offset,
                                              size_t size) {
  const auto file = files_.Find(handle);
  if (!file) return Errno{EBADF};
  ReadSource source;
  source.offset = offset;
  if (!file->object()) {
    if (offset < file->text().size()) {
      source.text = file->text().substr(offset, size);
    }
    return source;
  }
  const ObjectInfo info = store_->objects().Info(file->object());
  // A file on hugetlbfs is longer than its object, and so is a slab.
  const bool longer = hugetlbfs_ || info.in_slab();
  const uint64_t end = longer ? info.size_bytes : UINT64_MAX;
  source.size = std::min<uint64_t>(size, end - std::min(end, offset));
  source.offset += info.offset_bytes;
  source.segment = file->segment();
  source.spliceable = !longer;
  carried_read_bytes_ += source.size;
  return source;
}

Answer<size_t> OpenFiles::WriteNow(OpenFile& file, uint64_t offset,
                                   std::span<const std::byte> data) {
  const Status written = file.WriteAt(offset, data);
  if (!written) return written.error();
  carried_written_bytes_ += data.size();
  return data.size();
}

Result<std::shared_ptr<const OpenFiles::WaitingData>> OpenFiles::Copy(
    const Payer& payer, std::span<const std::byte> data) {
  auto wait = ChargeWait(store_, payer);
  if (!wait) return wait.error();
  auto memory = store_->memory().ShareWithClient(payer, data.size(),
                                                 store::ClientMemoryNeed::kNow);
  if (!memory) return memory.error();
  return std::make_shared<const WaitingData>(WaitingData{
      std::string(reinterpret_cast<const char*>(data.data()), data.size()),
      *std::move(wait), *std::move(memory)});
}

void OpenFiles::Write(const WriteRequest& request, std::function<bool()> claim,
                      OnAnswer<size_t> done) {
  const auto file = files_.Find(request.handle);
  if (!file || !file->writes()) return done(Errno{EBADF});
  const uint64_t offset = request.append ? file->EndOffset() : request.offset;
  auto reserved = std::make_shared<Later<Status>>();
  store_->memory().Reserve(
      file->object(), offset, request.data.size(), BoundedWait(),
      [reserved](Status status) { reserved->Arrive(std::move(status)); });
  if (const auto status = reserved->Take()) {
    if (!*status) return done(status->error());
    return done(WriteNow(*file, offset, request.data));
  }
  auto copy = Copy(file->opener(), request.data);
  if (!copy) return done(copy.error());
  reserved->Then([weak = weak_from_this(), file, offset, copy = *copy,
                  claim = std::move(claim),
                  done = std::move(done)](Status status) {
    if (!claim()) return;
    const auto self = weak.lock();
    if (!self) return done(Errno{ENOTCONN});
    if (!status) return done(status.error());
    done(self->WriteNow(*file, offset, std::as_bytes(std::span(copy->bytes))));
  });
}

void OpenFiles::Allocate(uint64_t handle, int mode, uint64_t offset,
                         uint64_t size, OnAnswer<void> done) {
  const auto file = files_.Find(handle);
  if (!file || !file->writes()) return done(Errno{EBADF});
  if ((mode & ~FALLOC_FL_KEEP_SIZE) != 0) return done(Errno{EOPNOTSUPP});
  if (size > UINT64_MAX - offset) return done(Errno{EFBIG});
  const auto wait = ChargeWait(store_, file->opener());
  if (!wait) return done(wait.error());
  const bool keep_size = (mode & FALLOC_FL_KEEP_SIZE) != 0;
  const uint64_t end = offset + size;
  store_->memory().Reserve(
      file->object(), offset, size, BoundedWait(),
      [weak = weak_from_this(), file, end, keep_size, wait = *wait,
       done = std::move(done)](Status reserved) {
        const auto self = weak.lock();
        if (!self) return done(Errno{ENOTCONN});
        if (!reserved || keep_size || end <= file->EndOffset()) {
          return done(reserved);
        }
        self->store_->memory().Resize(
            file->object(), end, BoundedWait(),
            [wait, done](Status resized) { done(resized); });
      });
}

Answer<off_t> OpenFiles::Seek(uint64_t handle, off_t offset, int whence) {
  const auto file = files_.Find(handle);
  if (!file) return Errno{EBADF};
  // On ENOSYS the kernel treats the file as one without holes.
  if (!file->object() || hugetlbfs_) return Errno{ENOSYS};
  const off_t found = ::lseek(file->segment()->fd(), offset, whence);
  if (found < 0) return Errno{errno};
  return found;
}

Answer<void> OpenFiles::Flush(uint64_t handle, pid_t thread_id) {
  const auto file = files_.Find(handle);
  if (!file) return Errno{EBADF};
  if (file->writes()) file->NoteClosed(IsDyingFromSignal(thread_id));
  return Answer<void>();
}

void OpenFiles::Release(uint64_t handle) {
  auto file = files_.Remove(handle);
  if (!file || !file->EndsHalfWritten()) return;
  ++killed_writers_;
  const ObjectRef object = file->object();
  file.reset();
  static_cast<void>(
      store_->unsealed().Abort(object));  // kNotFound: gone already.
}

OpenFiles::Numbers OpenFiles::Count() const {
  return {.open = files_.size(),
          .carried_read_bytes = carried_read_bytes_,
          .carried_written_bytes = carried_written_bytes_,
          .killed_writers = killed_writers_};
}

}  // namespace vitrine::fusefs
