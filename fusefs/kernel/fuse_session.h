// The connection to the kernel: the mount itself, passthrough, and the threads
// that serve it.
//
// libfuse supports passthrough since 3.17; this code needs only 3.14.  It
// amends the INIT reply on its way to the kernel, registers backing files by
// ioctl, and answers OPEN and CREATE with structures of its own.
//
// Invariants:
//  (1) INIT is answered, and passthrough probed, before any other request.
//  (2) The destructor unmounts only what this session has mounted.
#ifndef VITRINE_FUSEFS_KERNEL_FUSE_SESSION_H_
#define VITRINE_FUSEFS_KERNEL_FUSE_SESSION_H_

#include <fuse3/fuse_lowlevel.h>
#include <pthread.h>
#include <vitrine/result.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "fusefs/base/store_names.h"
#include "fusefs/kernel/kernel.h"
#include "fusefs/kernel/request_counts.h"

namespace vitrine::fusefs {

class FileSystem;
class DeferredReplies;

// Thread-safe after Serve.  Owns the mount and the serving threads.
class FuseSession : public Kernel {
 public:
  struct Options {
    std::string mount_point;  // As PrepareMountPoint gave it.
    Switch passthrough = Switch::kAuto;
    int probe_fd = -1;  // A file like the segments, to try passthrough with.
    // The kernel has to ask for the access lists of directories, and to obey.
    bool access_lists = false;
  };

  // Mounts, and exchanges INIT.  kUnavailable: FUSE is not available; or
  // passthrough is kOn and not available, or access lists are not.
  static Result<std::unique_ptr<FuseSession>> Mount(
      const fuse_lowlevel_ops& ops, const Options& options);
  // Unmounts (lazily) and joins the threads.
  ~FuseSession() override;
  FuseSession(const FuseSession&) = delete;
  FuseSession& operator=(const FuseSession&) = delete;

  // Starts to answer requests with `files`, which outlives the threads (see
  // Stop).  `on_end` is called once if the mount ends before Stop.
  void Serve(FileSystem* files, DeferredReplies* replies, size_t threads,
             std::function<void()> on_end);
  // Detaches the mount and joins the threads.  A second call does nothing.
  void Stop();

  bool passthrough() const { return passthrough_; }
  // Why there is no passthrough; empty if there is.
  const std::string& why_not() const { return why_not_; }
  bool allow_other() const { return allow_other_; }
  const std::string& mount_point() const { return mount_point_; }
  FileSystem& files() const { return *files_; }
  DeferredReplies& replies() const { return *replies_; }
  RequestCounts& counts() { return counts_; }
  // Of what the kernel is `capable` of, what it is to do.  Called within INIT.
  unsigned int ChooseCapabilities(unsigned int capable);

  Result<int32_t> RegisterBacking(int fd) override;
  void UnregisterBacking(int32_t backing_id) override;
  void InvalidateEntry(uint64_t dir, const std::string& name) override;
  void InvalidateAttributes(uint64_t node) override;

 private:
  struct SessionDeleter {
    void operator()(fuse_session* session) const {
      fuse_session_destroy(session);
    }
  };

  explicit FuseSession(const Options& options);

  // The I/O functions that libfuse calls for requests and replies.
  static ssize_t ReadHook(int fd, void* buffer, size_t size, void* self);
  static ssize_t WriteHook(int fd, iovec* parts, int count, void* self);
  static ssize_t SpliceHook(int from, off_t* from_offset, int to,
                            off_t* to_offset, size_t size, unsigned int flags,
                            void* self);

  Status Open(const fuse_lowlevel_ops& ops);
  Status ExchangeInit();
  void NoteRequest(const void* request, size_t size);
  ssize_t SendInitReply(int fd, const iovec* parts, int count);
  Status ProbePassthrough();
  void Work();
  void NoteEnd();
  bool MountIsOurs() const;

  const std::string mount_point_;
  const Switch wanted_;
  const int probe_fd_;
  const bool access_lists_;
  bool has_access_lists_ = false;
  bool allow_other_ = false;
  bool passthrough_ = false;
  std::string why_not_;
  std::string device_;  // The mount's device, as in mountinfo.
  std::unique_ptr<fuse_session, SessionDeleter> session_;
  FileSystem* files_ = nullptr;
  DeferredReplies* replies_ = nullptr;
  std::function<void()> on_end_;

  // The kernel's INIT, which is its first request.
  uint64_t init_unique_ = 0;
  bool init_seen_ = false;
  bool kernel_has_passthrough_ = false;
  bool kernel_has_killpriv_ = false;
  std::atomic<bool> init_answered_ = false;

  RequestCounts counts_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> ended_ = false;
  std::atomic<size_t> working_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_KERNEL_FUSE_SESSION_H_
