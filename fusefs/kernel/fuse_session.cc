#include "fusefs/kernel/fuse_session.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "fusefs/kernel/fuse_device.h"
#include "fusefs/kernel/kernel_abi.h"
#include "fusefs/kernel/mount_point.h"
#include "schema/base/mutex.h"
#include "schema/machine/fuse_init.h"
#include "schema/machine/mount_table.h"

namespace vitrine::fusefs {
namespace {

constexpr std::chrono::milliseconds kWakeInterval(1);

// Interrupts a worker's read.  Its handler does nothing.
int WakeSignal() { return SIGRTMAX - 1; }

// libfuse reports the reason of a failure only in its log.  The last message is
// kept for the returned Error.
struct LibfuseLog {
  Mutex mutex;
  std::string last GUARDED_BY(mutex);
};

LibfuseLog& Log() {
  static LibfuseLog* const log = new LibfuseLog;
  return *log;
}

void KeepMessage(fuse_log_level level, const char* format, va_list arguments) {
  if (level > FUSE_LOG_WARNING) return;
  char text[512];
  std::vsnprintf(text, sizeof(text), format, arguments);
  text[std::strcspn(text, "\n")] = '\0';
  LibfuseLog& log = Log();
  MutexLock lock(log.mutex);
  log.last = text;
}

Error LibfuseError(const std::string& what) {
  LibfuseLog& log = Log();
  MutexLock lock(log.mutex);
  const std::string detail = log.last.empty() ? "" : ": " + log.last;
  log.last.clear();
  return Error{Code::kUnavailable, what + detail};
}

struct Arguments {
  fuse_args args = FUSE_ARGS_INIT(0, nullptr);
  ~Arguments() { fuse_opt_free_args(&args); }
};

// The buffer that libfuse allocates for requests.
struct RequestBuffer {
  fuse_buf buffer{};
  ~RequestBuffer() { std::free(buffer.mem); }
};

// Blocks all signals for the threads started while it lives.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

Status InstallWakeHandler() {
  struct sigaction action {};
  action.sa_handler = [](int) {};  // Without SA_RESTART: read gives EINTR.
  if (::sigaction(WakeSignal(), &action, nullptr) != 0) {
    return ErrnoError("sigaction", errno);
  }
  return Status();
}

void UnblockWakeSignal() {
  sigset_t wake;
  sigemptyset(&wake);
  sigaddset(&wake, WakeSignal());
  pthread_sigmask(SIG_UNBLOCK, &wake, nullptr);
}

}  // namespace

FuseSession::FuseSession(const Options& options)
    : mount_point_(options.mount_point),
      wanted_(options.passthrough),
      probe_fd_(options.probe_fd),
      access_lists_(options.access_lists),
      allow_other_(MayAllowOtherUsers()) {}

Result<std::unique_ptr<FuseSession>> FuseSession::Mount(
    const fuse_lowlevel_ops& ops, const Options& options) {
  std::unique_ptr<FuseSession> session(new FuseSession(options));
  Status ready = session->Open(ops);
  if (ready) ready = session->ExchangeInit();
  if (ready) ready = session->ProbePassthrough();
  if (!ready) return ready.error();
  return session;
}

Status FuseSession::Open(const fuse_lowlevel_ops& ops) {
  fuse_set_log_func(KeepMessage);
  const Status handler = InstallWakeHandler();
  if (!handler) return handler;
  Arguments arguments;
  if (fuse_opt_add_arg(&arguments.args, "vitrine") != 0) {
    return Error{Code::kIoError, "no memory"};
  }
  session_.reset(fuse_session_new(&arguments.args, &ops, sizeof(ops), this));
  if (!session_) return LibfuseError("cannot make a FUSE session");
  auto device = MountFuse(mount_point_, allow_other_);
  if (!device) return device.error();
  const auto mount = machine::FindMount(mount_point_);
  if (mount && mount->has_value()) device_ = (*mount)->device;
  fuse_custom_io io{};
  io.read = ReadHook;
  io.writev = WriteHook;
  io.splice_send = SpliceHook;
  if (fuse_session_custom_io(session_.get(), &io, device->get()) != 0) {
    return LibfuseError("cannot set the session up");
  }
  device->release();  // The session closes it.
  return Status();
}

Status FuseSession::ExchangeInit() {
  RequestBuffer request;
  while (!init_answered_) {
    const int size = fuse_session_receive_buf(session_.get(), &request.buffer);
    if (size == -EINTR) continue;
    if (size <= 0) {
      return Error{Code::kUnavailable, "the kernel ended the FUSE session"};
    }
    fuse_session_process_buf(session_.get(), &request.buffer);
    if (fuse_session_exited(session_.get())) {
      return LibfuseError("the kernel and libfuse do not agree");
    }
  }
  if (access_lists_ && !has_access_lists_) {
    return Error{Code::kUnavailable,
                 "--allow-users: this kernel has no access lists for FUSE; use "
                 "--socket-group, or no --mount"};
  }
  return Status();
}

unsigned int FuseSession::ChooseCapabilities(unsigned int capable) {
  // ATOMIC_O_TRUNC: O_TRUNC comes with the OPEN, and no SETATTR follows.
  unsigned int wanted = FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_CACHE_SYMLINKS |
                        FUSE_CAP_SPLICE_WRITE | FUSE_CAP_ASYNC_DIO;
  if (access_lists_) wanted |= FUSE_CAP_POSIX_ACL;
  has_access_lists_ = (capable & wanted & FUSE_CAP_POSIX_ACL) != 0;
  return capable & wanted;
}

Status FuseSession::ProbePassthrough() {
  if (wanted_ == Switch::kOff) {
    why_not_ = "passthrough is switched off";
    return Status();
  }
  if (!kernel_has_passthrough_) {
    why_not_ = "passthrough needs Linux 6.9";
  } else if (const auto id = RegisterBacking(probe_fd_); !id) {
    why_not_ = id.error().message;
  } else {
    UnregisterBacking(*id);
    passthrough_ = true;
  }
  if (wanted_ == Switch::kOn && !passthrough_) {
    return Error{Code::kUnavailable, "no passthrough: " + why_not_};
  }
  return Status();
}

void FuseSession::Serve(FileSystem* files, DeferredReplies* replies,
                        size_t threads, std::function<void()> on_end) {
  files_ = files;
  replies_ = replies;
  on_end_ = std::move(on_end);
  const SignalsBlocked blocked;
  for (size_t i = 0; i < threads; ++i) {
    ++working_;
    threads_.emplace_back([this] { Work(); });
    pthread_setname_np(threads_.back().native_handle(), "vitrine-fuse");
  }
}

void FuseSession::Work() {
  UnblockWakeSignal();
  RequestBuffer request;
  while (!stopping_ && !fuse_session_exited(session_.get())) {
    const int size = fuse_session_receive_buf(session_.get(), &request.buffer);
    if (size == -EINTR || size == -EAGAIN) continue;
    if (size <= 0) break;
    fuse_session_process_buf(session_.get(), &request.buffer);
  }
  if (!stopping_) NoteEnd();
  --working_;
}

void FuseSession::NoteEnd() {
  if (!ended_.exchange(true) && on_end_) on_end_();
}

// A device number alone does not tell: the kernel gives that of a file system
// that is gone to the next one.
bool FuseSession::MountIsOurs() const {
  if (device_.empty() || ended_) return false;
  const auto mount = machine::FindMount(mount_point_);
  return mount && mount->has_value() && (*mount)->device == device_ &&
         (*mount)->type.starts_with("fuse");
}

void FuseSession::Stop() {
  if (stopping_.exchange(true)) return;
  // Detaches the mount while requests are still answered; then no new user can
  // come in.  A failure leaves a dead mount, which the next start replaces.
  if (MountIsOurs()) static_cast<void>(DetachMount(mount_point_));
  // A signal may come just before the read that it is to interrupt, so it is
  // repeated.
  while (working_ > 0) {
    for (auto& thread : threads_) {
      pthread_kill(thread.native_handle(), WakeSignal());
    }
    std::this_thread::sleep_for(kWakeInterval);
  }
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

FuseSession::~FuseSession() { Stop(); }

ssize_t FuseSession::ReadHook(int fd, void* buffer, size_t size, void* self) {
  const ssize_t received = ::read(fd, buffer, size);
  auto* session = static_cast<FuseSession*>(self);
  if (received > 0 && !session->init_answered_) {
    session->NoteRequest(buffer, static_cast<size_t>(received));
  }
  return received;
}

void FuseSession::NoteRequest(const void* request, size_t size) {
  const auto init =
      machine::ParseFuseInit({static_cast<const std::byte*>(request), size});
  if (!init) return;
  init_unique_ = init->unique;
  init_seen_ = true;
  kernel_has_killpriv_ = init->killpriv;
  kernel_has_passthrough_ = init->passthrough;
}

ssize_t FuseSession::WriteHook(int fd, iovec* parts, int count, void* self) {
  auto* session = static_cast<FuseSession*>(self);
  if (!session->init_answered_ && session->init_seen_) {
    return session->SendInitReply(fd, parts, count);
  }
  return ::writev(fd, parts, count);
}

ssize_t FuseSession::SendInitReply(int fd, const iovec* parts, int count) {
  fuse_out_header header;
  InitOut init;
  const bool is_reply = count == 2 && parts[0].iov_len == sizeof(header) &&
                        parts[1].iov_len == sizeof(init);
  if (!is_reply) return ::writev(fd, parts, count);
  std::memcpy(&header, parts[0].iov_base, sizeof(header));
  if (header.unique != init_unique_ || header.error != 0) {
    return ::writev(fd, parts, count);
  }
  std::memcpy(&init, parts[1].iov_base, sizeof(init));
  // There are no set-user-ID bits here.  Without this flag the kernel asks for
  // security.capability before each write.
  if (kernel_has_killpriv_) init.flags |= machine::kInitHandleKillprivV2;
  if (kernel_has_passthrough_ && wanted_ != Switch::kOff) {
    init.flags |= machine::kInitExt;
    init.flags2 |= machine::kInitFlags2Passthrough;
    init.max_stack_depth = 1;
  }
  iovec amended[2] = {{&header, sizeof(header)}, {&init, sizeof(init)}};
  const ssize_t sent = ::writev(fd, amended, 2);
  if (sent > 0) init_answered_ = true;
  return sent;
}

ssize_t FuseSession::SpliceHook(int from, off_t* from_offset, int to,
                                off_t* to_offset, size_t size,
                                unsigned int flags, void*) {
  return ::splice(from, from_offset, to, to_offset, size, flags);
}

Result<int32_t> FuseSession::RegisterBacking(int fd) {
  BackingMap map{};
  map.fd = fd;
  const int id =
      ::ioctl(fuse_session_fd(session_.get()), kIoctlBackingOpen, &map);
  if (id > 0) return id;
  if (errno == EPERM) {
    return Error{Code::kNotPermitted,
                 "passthrough needs CAP_SYS_ADMIN in the initial user "
                 "namespace"};
  }
  if (errno == ELOOP) {
    return Error{
        Code::kUnsupported,
        "passthrough cannot reach this memory directory's file system"};
  }
  return ErrnoError("passthrough", errno);
}

void FuseSession::UnregisterBacking(int32_t backing_id) {
  auto id = static_cast<uint32_t>(backing_id);
  // Fails only for ids that were never registered, or after an unmount.
  static_cast<void>(
      ::ioctl(fuse_session_fd(session_.get()), kIoctlBackingClose, &id));
}

void FuseSession::InvalidateEntry(uint64_t dir, const std::string& name) {
  // ENOENT: the kernel does not know the name, which is fine.
  static_cast<void>(fuse_lowlevel_notify_inval_entry(
      session_.get(), dir, name.c_str(), name.size()));
}

void FuseSession::InvalidateAttributes(uint64_t node) {
  static_cast<void>(
      fuse_lowlevel_notify_inval_inode(session_.get(), node, -1, 0));
}

}  // namespace vitrine::fusefs
