// Directories and mounts that a test has to itself and that go with it.
#ifndef VITRINE_TESTS_SUPPORT_SCRATCH_DIR_H_
#define VITRINE_TESTS_SUPPORT_SCRATCH_DIR_H_

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace vitrine {

// A fresh directory, by default on tmpfs.  Removed with all that is in it.
class ScratchDir {
 public:
  explicit ScratchDir(const std::string& parent = "/dev/shm") {
    std::string pattern = parent + "/vitrine-test-XXXXXX";
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  ~ScratchDir() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }

 private:
  std::string path_;  // Empty: it could not be made.
};

// A mount that nobody but this process sees.  Needs root.
class ScratchMount {
 public:
  ScratchMount(const std::string& type, const std::string& options) {
    // From here on this process has mounts of its own.
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("vitrine-test", dir_.path().c_str(), type.c_str(), 0,
                options.c_str()) != 0) {
      errno_ = errno;
    }
  }
  ScratchMount(const ScratchMount&) = delete;
  ScratchMount& operator=(const ScratchMount&) = delete;
  ~ScratchMount() {
    if (mounted()) ::umount2(path().c_str(), MNT_DETACH);
  }

  bool mounted() const { return errno_ == 0; }
  int error() const { return errno_; }
  const std::string& path() const { return dir_.path(); }

 private:
  ScratchDir dir_{"/tmp"};
  int errno_ = 0;
};

// What a file takes of its file system or of the memory.
inline uint64_t AllocatedBytes(int fd) {
  struct stat info = {};
  EXPECT_EQ(::fstat(fd, &info), 0);
  return static_cast<uint64_t>(info.st_blocks) * 512;
}

// How many descriptors this process has.
inline size_t CountDescriptors() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

}  // namespace vitrine

#endif  // VITRINE_TESTS_SUPPORT_SCRATCH_DIR_H_
