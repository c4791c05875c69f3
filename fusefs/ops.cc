#include "fusefs/ops.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "fusefs/files/file_system.h"
#include "fusefs/files/xattr.h"
#include "fusefs/kernel/deferred_reply.h"
#include "fusefs/kernel/fuse_session.h"
#include "fusefs/kernel/kernel_abi.h"

namespace vitrine::fusefs {
namespace {

using Kind = RequestKind;

constexpr unsigned int kMaxBackground = 64;

FuseSession& SessionOf(fuse_req_t req) {
  return *static_cast<FuseSession*>(fuse_req_userdata(req));
}

FileSystem& Files(fuse_req_t req, Kind kind) {
  FuseSession& session = SessionOf(req);
  session.counts().Add(kind);
  return session.files();
}

std::shared_ptr<DeferredReply> Defer(fuse_req_t req) {
  return SessionOf(req).replies().Start(req);
}

Credentials CallerOf(fuse_req_t req) {
  const fuse_ctx* context = fuse_req_ctx(req);
  return {context->uid, context->gid, context->pid, {}};
}

Payer PayerOf(fuse_req_t req) {
  const fuse_ctx* context = fuse_req_ctx(req);
  return {context->uid, context->gid};
}

template <typename T>
void ReplyStatus(fuse_req_t req, const Answer<T>& answer) {
  fuse_reply_err(req, answer.error());
}

// If the kernel did not take the answer, releases what the answer referred to.
void ReplyEntry(fuse_req_t req, FileSystem& files,
                const Answer<fuse_entry_param>& entry) {
  if (!entry) return ReplyStatus(req, entry);
  if (fuse_reply_entry(req, &*entry) == -ENOENT) files.Forget(entry->ino, 1);
}

OpenOut MakeOpenOut(const FileSystem::Opened& opened) {
  return {opened.handle, opened.flags, opened.backing_id};
}

void ReplyOpen(fuse_req_t req, FileSystem& files,
               const Answer<FileSystem::Opened>& opened) {
  if (!opened) return ReplyStatus(req, opened);
  const OpenOut out = MakeOpenOut(*opened);
  const int sent =
      fuse_reply_buf(req, reinterpret_cast<const char*>(&out), sizeof(out));
  if (sent == -ENOENT) files.open_files().Release(opened->handle);
}

fuse_attr MakeAttr(const struct stat& stat) {
  fuse_attr attr{};
  attr.ino = stat.st_ino;
  attr.size = static_cast<uint64_t>(stat.st_size);
  attr.blocks = static_cast<uint64_t>(stat.st_blocks);
  attr.atime = static_cast<uint64_t>(stat.st_atim.tv_sec);
  attr.mtime = static_cast<uint64_t>(stat.st_mtim.tv_sec);
  attr.ctime = static_cast<uint64_t>(stat.st_ctim.tv_sec);
  attr.atimensec = static_cast<uint32_t>(stat.st_atim.tv_nsec);
  attr.mtimensec = static_cast<uint32_t>(stat.st_mtim.tv_nsec);
  attr.ctimensec = static_cast<uint32_t>(stat.st_ctim.tv_nsec);
  attr.mode = stat.st_mode;
  attr.nlink = static_cast<uint32_t>(stat.st_nlink);
  attr.uid = stat.st_uid;
  attr.gid = stat.st_gid;
  attr.blksize = static_cast<uint32_t>(stat.st_blksize);
  return attr;
}

void SetValidity(double seconds, fuse_entry_out* entry) {
  entry->attr_valid = static_cast<uint64_t>(seconds);
  entry->attr_valid_nsec = static_cast<uint32_t>(std::fmod(seconds, 1) * 1e9);
}

CreateOut MakeCreateOut(const FileSystem::Created& created) {
  CreateOut out{};
  out.entry.nodeid = created.entry.ino;
  out.entry.entry_valid = static_cast<uint64_t>(created.entry.entry_timeout);
  SetValidity(created.entry.attr_timeout, &out.entry);
  out.entry.attr = MakeAttr(created.entry.attr);
  out.open = MakeOpenOut(created.opened);
  return out;
}

void ReplyAttributes(fuse_req_t req, const Answer<Attributes>& attributes) {
  if (!attributes) return ReplyStatus(req, attributes);
  fuse_reply_attr(req, &attributes->stat, attributes->valid_seconds);
}

// Answers a probe for the size, or with the bytes.
void ReplyXattr(fuse_req_t req, size_t size,
                const Answer<std::string>& answer) {
  if (!answer) return ReplyStatus(req, answer);
  if (size == 0) {
    fuse_reply_xattr(req, answer->size());
  } else if (answer->size() > size) {
    fuse_reply_err(req, ERANGE);
  } else {
    fuse_reply_buf(req, answer->data(), answer->size());
  }
}

void InitOp(void* session, fuse_conn_info* connection) noexcept {
  // The kernel handles flock and lockf itself.
  connection->want &=
      ~static_cast<unsigned int>(FUSE_CAP_FLOCK_LOCKS | FUSE_CAP_POSIX_LOCKS);
  connection->want |= static_cast<FuseSession*>(session)->ChooseCapabilities(
      connection->capable);
  connection->max_background = kMaxBackground;
  connection->congestion_threshold = kMaxBackground * 3 / 4;
}

void LookupOp(fuse_req_t req, fuse_ino_t dir, const char* name) noexcept {
  FileSystem& files = Files(req, Kind::kLookup);
  ReplyEntry(req, files, files.Lookup(dir, name, PayerOf(req).uid));
}

void ForgetOp(fuse_req_t req, fuse_ino_t node, uint64_t lookups) noexcept {
  Files(req, Kind::kForget).Forget(node, lookups);
  fuse_reply_none(req);
}

void ForgetMultiOp(fuse_req_t req, size_t count,
                   fuse_forget_data* forgets) noexcept {
  FileSystem& files = Files(req, Kind::kForget);
  for (size_t i = 0; i < count; ++i) {
    files.Forget(forgets[i].ino, forgets[i].nlookup);
  }
  fuse_reply_none(req);
}

void GetattrOp(fuse_req_t req, fuse_ino_t node, fuse_file_info*) noexcept {
  ReplyAttributes(req, Files(req, Kind::kGetattr).GetAttributes(node));
}

void SetattrOp(fuse_req_t req, fuse_ino_t node, struct stat* attr, int which,
               fuse_file_info*) noexcept {
  FileSystem& files = Files(req, Kind::kSetattr);
  const auto reply = Defer(req);
  files.Set(
      node, {*attr, which}, PayerOf(req), [reply](Answer<Attributes> answer) {
        reply->Answer([answer](fuse_req_t r) { ReplyAttributes(r, answer); });
      });
  reply->Park(true, nullptr);
}

// Replies by `reply` once the bytes of the object are in memory, or with what
// was in the way.
void OnceInMemory(fuse_req_t req, FileSystem& files, fuse_ino_t node,
                  std::function<void(fuse_req_t)> reply) {
  const auto deferred = Defer(req);
  files.BringBack(node, PayerOf(req), [deferred, reply](Answer<void> back) {
    deferred->Answer([back, reply](fuse_req_t r) {
      if (!back) return ReplyStatus(r, back);
      reply(r);
    });
  });
  deferred->Park(true, nullptr);
}

void ReplyReadlink(fuse_req_t req, FileSystem& files, fuse_ino_t node) {
  const auto target = files.ReadLink(node);
  if (!target) return ReplyStatus(req, target);
  fuse_reply_readlink(req, target->c_str());
}

void ReadlinkOp(fuse_req_t req, fuse_ino_t node) noexcept {
  FileSystem& files = Files(req, Kind::kReadlink);
  if (!files.IsElsewhere(node)) return ReplyReadlink(req, files, node);
  OnceInMemory(req, files, node,
               [&files, node](fuse_req_t r) { ReplyReadlink(r, files, node); });
}

void UnlinkOp(fuse_req_t req, fuse_ino_t dir, const char* name) noexcept {
  ReplyStatus(req, Files(req, Kind::kUnlink).Unlink(dir, name, CallerOf(req)));
}

void RenameOp(fuse_req_t req, fuse_ino_t dir, const char* name,
              fuse_ino_t new_dir, const char* new_name,
              unsigned int flags) noexcept {
  FileSystem& files = Files(req, Kind::kRename);
  const auto reply = Defer(req);
  files.Rename(
      dir, name, new_dir, new_name, flags, CallerOf(req),
      [reply](Answer<void> answer) {
        reply->Answer([answer](fuse_req_t r) { ReplyStatus(r, answer); });
      });
  // Not interruptible: a seal must not happen after EINTR was returned.  The
  // wait is short anyway.
  reply->Park(false, nullptr);
}

void Refuse(fuse_req_t req) {
  SessionOf(req).counts().Add(Kind::kRefused);
  fuse_reply_err(req, EPERM);
}

void MkdirOp(fuse_req_t req, fuse_ino_t, const char*, mode_t) noexcept {
  Refuse(req);
}

void RmdirOp(fuse_req_t req, fuse_ino_t, const char*) noexcept { Refuse(req); }

void SymlinkOp(fuse_req_t req, const char*, fuse_ino_t, const char*) noexcept {
  Refuse(req);
}

void LinkOp(fuse_req_t req, fuse_ino_t, fuse_ino_t, const char*) noexcept {
  Refuse(req);
}

void MknodOp(fuse_req_t req, fuse_ino_t, const char*, mode_t, dev_t) noexcept {
  Refuse(req);
}

// Opened as the reply is made, so that nothing is open if the caller was
// interrupted while its object came back.
void OpenObject(fuse_req_t req, FileSystem& files, fuse_ino_t node, int flags) {
  const Payer who = PayerOf(req);
  const auto opened = files.Open(node, flags, who);
  if (opened || opened.error() != FileSystem::kElsewhere) {
    return ReplyOpen(req, files, opened);
  }
  OnceInMemory(req, files, node, [&files, node, flags, who](fuse_req_t r) {
    auto again = files.Open(node, flags, who);
    // It was evicted anew: the kernel tries once more.
    if (!again && again.error() == FileSystem::kElsewhere) {
      again = Errno{ESTALE};
    }
    ReplyOpen(r, files, again);
  });
}

void OpenOp(fuse_req_t req, fuse_ino_t node, fuse_file_info* file) noexcept {
  FileSystem& files = Files(req, Kind::kOpen);
  const int flags = file->flags;
  if (!files.IsWait(node)) return OpenObject(req, files, node, flags);
  const auto reply = Defer(req);
  auto end_wait = files.OpenWait(
      node, flags, PayerOf(req), [reply](Answer<FileSystem::Opened> answer) {
        reply->Answer([answer](fuse_req_t r) { ReplyStatus(r, answer); });
      });
  reply->Park(true, std::move(end_wait));
}

void CreateOp(fuse_req_t req, fuse_ino_t dir, const char* name, mode_t mode,
              fuse_file_info* file) noexcept {
  FileSystem& files = Files(req, Kind::kCreate);
  const auto created =
      files.Create(dir, name, mode, file->flags, CallerOf(req));
  if (!created) return ReplyStatus(req, created);
  const CreateOut out = MakeCreateOut(*created);
  const int sent =
      fuse_reply_buf(req, reinterpret_cast<const char*>(&out), sizeof(out));
  if (sent != -ENOENT) return;
  files.open_files().Release(created->opened.handle);
  files.Forget(created->entry.ino, 1);
}

void ReplyCopied(fuse_req_t req, const OpenFiles::ReadSource& source) {
  std::string bytes(source.size, '\0');
  const auto size = source.segment->ReadAt(
      source.offset,
      std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
  if (!size) {
    fuse_reply_err(req, ToErrno(size.error()));
  } else {
    fuse_reply_buf(req, bytes.data(), *size);
  }
}

void ReadOp(fuse_req_t req, fuse_ino_t, size_t size, off_t offset,
            fuse_file_info* file) noexcept {
  const auto source = Files(req, Kind::kRead)
                          .open_files()
                          .Read(file->fh, static_cast<uint64_t>(offset), size);
  if (!source) return ReplyStatus(req, source);
  if (!source->segment) {
    fuse_reply_buf(req, source->text.data(), source->text.size());
    return;
  }
  if (!source->spliceable) return ReplyCopied(req, *source);
  fuse_bufvec buffers{};
  buffers.count = 1;
  buffers.buf[0].size = source->size;
  buffers.buf[0].flags =
      static_cast<fuse_buf_flags>(FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK);
  buffers.buf[0].fd = source->segment->fd();
  buffers.buf[0].pos = static_cast<off_t>(source->offset);
  // No SPLICE_MOVE: it would take the pages away from the segment.
  fuse_reply_data(req, &buffers, static_cast<fuse_buf_copy_flags>(0));
}

void WriteOp(fuse_req_t req, fuse_ino_t, const char* data, size_t size,
             off_t offset, fuse_file_info* file) noexcept {
  OpenFiles& files = Files(req, Kind::kWrite).open_files();
  const bool append = (file->flags & O_APPEND) != 0 && !file->writepage;
  const auto reply = Defer(req);
  files.Write(
      {file->fh, static_cast<uint64_t>(offset),
       std::as_bytes(std::span(data, size)), append},
      [reply] { return reply->Claim(); },
      [reply](Answer<size_t> answer) {
        reply->Answer([answer](fuse_req_t r) {
          if (!answer) return ReplyStatus(r, answer);
          fuse_reply_write(r, *answer);
        });
      });
  reply->Park(true, nullptr);
}

void FlushOp(fuse_req_t req, fuse_ino_t, fuse_file_info* file) noexcept {
  OpenFiles& files = Files(req, Kind::kFlush).open_files();
  ReplyStatus(req, files.Flush(file->fh, fuse_req_ctx(req)->pid));
}

void ReleaseOp(fuse_req_t req, fuse_ino_t, fuse_file_info* file) noexcept {
  Files(req, Kind::kRelease).open_files().Release(file->fh);
  fuse_reply_err(req, 0);
}

// There is nothing to write back: objects are in memory only.
void FsyncOp(fuse_req_t req, fuse_ino_t, int, fuse_file_info*) noexcept {
  Files(req, Kind::kFsync);
  fuse_reply_err(req, 0);
}

void FallocateOp(fuse_req_t req, fuse_ino_t, int mode, off_t offset,
                 off_t length, fuse_file_info* file) noexcept {
  OpenFiles& files = Files(req, Kind::kFallocate).open_files();
  const auto reply = Defer(req);
  files.Allocate(
      file->fh, mode, static_cast<uint64_t>(offset),
      static_cast<uint64_t>(length), [reply](Answer<void> answer) {
        reply->Answer([answer](fuse_req_t r) { ReplyStatus(r, answer); });
      });
  reply->Park(true, nullptr);
}

void LseekOp(fuse_req_t req, fuse_ino_t, off_t offset, int whence,
             fuse_file_info* file) noexcept {
  const auto found =
      Files(req, Kind::kLseek).open_files().Seek(file->fh, offset, whence);
  if (!found) return ReplyStatus(req, found);
  fuse_reply_lseek(req, *found);
}

void OpendirOp(fuse_req_t req, fuse_ino_t node, fuse_file_info* file) noexcept {
  FileSystem& files = Files(req, Kind::kOpendir);
  const auto handle = files.OpenDir(node, PayerOf(req));
  if (!handle) return ReplyStatus(req, handle);
  file->fh = *handle;
  if (fuse_reply_open(req, file) == -ENOENT) files.ReleaseDir(*handle);
}

void ReplyBytes(fuse_req_t req, const Answer<std::string>& bytes) {
  if (!bytes) return ReplyStatus(req, bytes);
  fuse_reply_buf(req, bytes->data(), bytes->size());
}

void ReaddirOp(fuse_req_t req, fuse_ino_t, size_t size, off_t offset,
               fuse_file_info* file) noexcept {
  ReplyBytes(
      req, Files(req, Kind::kReaddir)
               .ReadDir(file->fh, static_cast<uint64_t>(offset), size, false));
}

void ReaddirplusOp(fuse_req_t req, fuse_ino_t, size_t size, off_t offset,
                   fuse_file_info* file) noexcept {
  ReplyBytes(req,
             Files(req, Kind::kReaddirplus)
                 .ReadDir(file->fh, static_cast<uint64_t>(offset), size, true));
}

void ReleasedirOp(fuse_req_t req, fuse_ino_t, fuse_file_info* file) noexcept {
  Files(req, Kind::kReleasedir).ReleaseDir(file->fh);
  fuse_reply_err(req, 0);
}

void FsyncdirOp(fuse_req_t req, fuse_ino_t, int, fuse_file_info*) noexcept {
  Files(req, Kind::kFsync);
  fuse_reply_err(req, 0);
}

void StatfsOp(fuse_req_t req, fuse_ino_t) noexcept {
  const auto usage = Files(req, Kind::kStatfs).GetUsage();
  if (!usage) return ReplyStatus(req, usage);
  fuse_reply_statfs(req, &*usage);
}

void SetxattrOp(fuse_req_t req, fuse_ino_t node, const char* name,
                const char* value, size_t size, int flags) noexcept {
  FileSystem& files = Files(req, Kind::kSetxattr);
  const ObjectRef object = files.FindObject(node);
  if (!object) return void(fuse_reply_err(req, EOPNOTSUPP));
  ReplyStatus(req, SetXattr(files.store(), object, name, {value, size}, flags,
                            CallerOf(req)));
}

void GetxattrOp(fuse_req_t req, fuse_ino_t node, const char* name,
                size_t size) noexcept {
  FileSystem& files = Files(req, Kind::kGetxattr);
  if (files.HasAccessListFor(name)) {
    return ReplyXattr(req, size, files.GetAccessList(node, name));
  }
  const ObjectRef object = files.FindObject(node);
  if (!object) return void(fuse_reply_err(req, EOPNOTSUPP));
  ReplyXattr(req, size, GetXattr(files.store(), object, name));
}

void ListxattrOp(fuse_req_t req, fuse_ino_t node, size_t size) noexcept {
  FileSystem& files = Files(req, Kind::kListxattr);
  const ObjectRef object = files.FindObject(node);
  ReplyXattr(req, size,
             object ? ListXattr(files.store(), object) : std::string());
}

void RemovexattrOp(fuse_req_t req, fuse_ino_t node, const char* name) noexcept {
  FileSystem& files = Files(req, Kind::kRemovexattr);
  const ObjectRef object = files.FindObject(node);
  if (!object) return void(fuse_reply_err(req, EOPNOTSUPP));
  ReplyStatus(req, RemoveXattr(files.store(), object, name, CallerOf(req)));
}

fuse_lowlevel_ops MakeOps() {
  fuse_lowlevel_ops ops{};
  ops.init = InitOp;
  ops.lookup = LookupOp;
  ops.forget = ForgetOp;
  ops.forget_multi = ForgetMultiOp;
  ops.getattr = GetattrOp;
  ops.setattr = SetattrOp;
  ops.readlink = ReadlinkOp;
  ops.unlink = UnlinkOp;
  ops.rename = RenameOp;
  ops.mkdir = MkdirOp;
  ops.rmdir = RmdirOp;
  ops.symlink = SymlinkOp;
  ops.link = LinkOp;
  ops.mknod = MknodOp;
  ops.open = OpenOp;
  ops.create = CreateOp;
  ops.read = ReadOp;
  ops.write = WriteOp;
  ops.flush = FlushOp;
  ops.release = ReleaseOp;
  ops.fsync = FsyncOp;
  ops.fallocate = FallocateOp;
  ops.lseek = LseekOp;
  ops.opendir = OpendirOp;
  ops.readdir = ReaddirOp;
  ops.readdirplus = ReaddirplusOp;
  ops.releasedir = ReleasedirOp;
  ops.fsyncdir = FsyncdirOp;
  ops.statfs = StatfsOp;
  ops.setxattr = SetxattrOp;
  ops.getxattr = GetxattrOp;
  ops.listxattr = ListxattrOp;
  ops.removexattr = RemovexattrOp;
  return ops;
}

}  // namespace

const fuse_lowlevel_ops& MountOps() {
  static const fuse_lowlevel_ops ops = MakeOps();
  return ops;
}

}  // namespace vitrine::fusefs
