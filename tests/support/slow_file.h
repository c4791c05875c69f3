// A file whose reads end when the test says so: a file system in user space.
//
// It reads by direct I/O, so the kernel pins the reader's pages and writes to
// them when the answer comes, whatever the reader did with them meanwhile.
#ifndef VITRINE_TESTS_SUPPORT_SLOW_FILE_H_
#define VITRINE_TESTS_SUPPORT_SLOW_FILE_H_

#include <fuse3/fuse_lowlevel.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "schema/base/mutex.h"
#include "tests/support/scratch_dir.h"

namespace vitrine {

class SlowFile {
 public:
  SlowFile() {
    ::chmod(dir_.path().c_str(), 0755);
    std::string name = "slow";
    std::string option = "-oallow_other";
    char* arguments[] = {name.data(), option.data(), nullptr};
    fuse_args args = FUSE_ARGS_INIT(2, arguments);
    static const fuse_lowlevel_ops ops = MakeOps();
    session_ = ::fuse_session_new(&args, &ops, sizeof(ops), this);
    ::fuse_opt_free_args(&args);
    if (session_ == nullptr) return;
    if (::fuse_session_mount(session_, dir_.path().c_str()) != 0) {
      ::fuse_session_destroy(session_);
      session_ = nullptr;
      return;
    }
    server_ = std::thread([this] { ::fuse_session_loop(session_); });
  }
  SlowFile(const SlowFile&) = delete;
  SlowFile& operator=(const SlowFile&) = delete;
  ~SlowFile() {
    if (session_ == nullptr) return;
    Answer('-');
    ::fuse_session_exit(session_);
    // Ends the server's read; its descriptor is closed after that.
    ::umount2(dir_.path().c_str(), MNT_FORCE | MNT_DETACH);
    server_.join();
    ::fuse_session_unmount(session_);
    ::fuse_session_destroy(session_);
  }

  bool works() const { return session_ != nullptr; }
  std::string path() const { return dir_.path() + "/slow"; }
  // In a forked child: the mount must end with the test.
  void CloseInChild() const { ::close(::fuse_session_fd(session_)); }

  // Waits until a read is under way.  False: none comes.
  bool AwaitRead() {
    MutexLock lock(mutex_);
    const auto until =
        std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (reads_.empty()) {
      if (!changed_.WaitUntil(mutex_, until)) break;
    }
    return !reads_.empty();
  }
  // Ends all reads with that byte.
  void Answer(char byte) {
    std::vector<Read> reads;
    {
      MutexLock lock(mutex_);
      reads.swap(reads_);
    }
    for (const Read& read : reads) {
      const std::string bytes(read.size, byte);
      ::fuse_reply_buf(read.request, bytes.data(), bytes.size());
    }
  }

 private:
  static constexpr fuse_ino_t kFile = 2;
  struct Read {
    fuse_req_t request;
    size_t size;
  };

  static struct stat Stat(fuse_ino_t node) {
    struct stat info = {};
    info.st_ino = node;
    info.st_mode = node == kFile ? S_IFREG | 0444 : S_IFDIR | 0755;
    info.st_nlink = 1;
    info.st_size = node == kFile ? 1 << 30 : 0;
    return info;
  }
  static void Lookup(fuse_req_t request, fuse_ino_t, const char* name) {
    fuse_entry_param entry = {};
    if (std::strcmp(name, "slow") != 0) {
      ::fuse_reply_err(request, ENOENT);
      return;
    }
    entry.ino = kFile;
    entry.attr = Stat(kFile);
    ::fuse_reply_entry(request, &entry);
  }
  static void GetAttributes(fuse_req_t request, fuse_ino_t node,
                            fuse_file_info*) {
    const struct stat info = Stat(node);
    ::fuse_reply_attr(request, &info, 1);
  }
  static void Open(fuse_req_t request, fuse_ino_t, fuse_file_info* file) {
    file->direct_io = 1;
    ::fuse_reply_open(request, file);
  }
  static void ReadLater(fuse_req_t request, fuse_ino_t, size_t size, off_t,
                        fuse_file_info*) {
    auto* const self = static_cast<SlowFile*>(::fuse_req_userdata(request));
    {
      MutexLock lock(self->mutex_);
      self->reads_.push_back({request, size});
    }
    self->changed_.NotifyAll();
  }
  static fuse_lowlevel_ops MakeOps() {
    fuse_lowlevel_ops ops = {};
    ops.lookup = Lookup;
    ops.getattr = GetAttributes;
    ops.open = Open;
    ops.read = ReadLater;
    return ops;
  }

  ScratchDir dir_{"/tmp"};
  fuse_session* session_ = nullptr;
  Mutex mutex_;
  CondVar changed_;
  std::vector<Read> reads_ GUARDED_BY(mutex_);
  std::thread server_;  // Last: it uses all of the above.
};

}  // namespace vitrine

#endif  // VITRINE_TESTS_SUPPORT_SLOW_FILE_H_
