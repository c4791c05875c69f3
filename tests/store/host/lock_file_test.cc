#include "store/host/lock_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <vector>

#include "tests/support/scratch_dir.h"

namespace vitrine::store {
namespace {

namespace fs = std::filesystem;

class LockFileTest : public testing::Test {
 protected:
  LockFileTest() {
    std::string pattern = testing::TempDir() + "/vitrine-lock-XXXXXX";
    dir_ = ::mkdtemp(pattern.data());
  }
  ~LockFileTest() override { fs::remove_all(dir_); }

  std::string dir_;
};

constexpr uid_t kNobody = 65534;

// A process that has what `take` took, until it is killed.
class Holder {
 public:
  explicit Holder(const std::string& state_dir)
      : Holder([&] {
          static const Result<LockFile> lock = LockFile::Acquire(state_dir);
          return lock.has_value();
        }) {}
  explicit Holder(const std::function<bool()>& take) {
    std::array<int, 2> ready{};
    if (::pipe(ready.data()) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      const char answer = take() ? 'y' : 'n';
      if (::write(ready[1], &answer, 1) == 1) ::pause();
      ::_exit(1);
    }
    char answer = 'n';
    locked_ = ::read(ready[0], &answer, 1) == 1 && answer == 'y';
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~Holder() { Kill(); }

  void Kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  bool locked() const { return locked_; }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  bool locked_ = false;
};

TEST_F(LockFileTest, ASecondStoreIsToldThePidOfTheFirst) {
  const Holder holder(dir_);
  ASSERT_TRUE(holder.locked());
  const Result<LockFile> second = LockFile::Acquire(dir_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUnavailable);
  EXPECT_NE(second.error().message.find(std::to_string(holder.pid())),
            std::string::npos);
  EXPECT_TRUE(fs::exists(dir_ + "/lock"));
}

TEST_F(LockFileTest, AKilledStoreLeavesNoLock) {
  Holder holder(dir_);
  ASSERT_TRUE(holder.locked());
  holder.Kill();
  EXPECT_TRUE(fs::exists(dir_ + "/lock"));
  EXPECT_TRUE(LockFile::Acquire(dir_));
}

TEST_F(LockFileTest, GarbageInTheFileDoesNoHarm) {
  std::ofstream(dir_ + "/lock") << "\xff\xfe no pid at all";
  EXPECT_TRUE(LockFile::Acquire(dir_));
}

TEST_F(LockFileTest, ALinkInPlaceOfTheFileIsRefused) {
  std::ofstream(dir_ + "/precious") << "bytes";
  fs::create_symlink(dir_ + "/precious", dir_ + "/lock");
  EXPECT_FALSE(LockFile::Acquire(dir_));
  EXPECT_EQ(fs::file_size(dir_ + "/precious"), 5U);
}

TEST_F(LockFileTest, AFileInPlaceOfTheDirectoryIsRefused) {
  std::ofstream(dir_ + "/file") << "x";
  const Result<LockFile> lock = LockFile::Acquire(dir_ + "/file");
  ASSERT_FALSE(lock);
  EXPECT_NE(lock.error().message.find(dir_ + "/file"), std::string::npos);
  EXPECT_FALSE(LockFile::Acquire(dir_ + "/file/below"));
  EXPECT_FALSE(LockFile::Acquire(""));
}

TEST_F(LockFileTest, WhatWasMadeIsRemovedAgain) {
  {
    const Result<LockFile> lock = LockFile::Acquire(dir_ + "/a/b/c");
    ASSERT_TRUE(lock);
    struct stat status {};
    ASSERT_EQ(::stat((dir_ + "/a/b/c").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0755U);
  }
  EXPECT_FALSE(fs::exists(dir_ + "/a"));
  EXPECT_TRUE(fs::exists(dir_));
}

TEST_F(LockFileTest, ADirectoryWithSomethingInItStays) {
  {
    const Result<LockFile> lock = LockFile::Acquire(dir_ + "/a/b");
    ASSERT_TRUE(lock);
    std::ofstream(dir_ + "/a/b/catalog.db") << "x";
  }
  EXPECT_TRUE(fs::exists(dir_ + "/a/b/catalog.db"));
  EXPECT_FALSE(fs::exists(dir_ + "/a/b/lock"));
}

TEST_F(LockFileTest, TheFileSaysWhoHasTheLock) {
  const Result<LockFile> lock = LockFile::Acquire(dir_);
  ASSERT_TRUE(lock);
  pid_t pid = 0;
  std::ifstream(dir_ + "/lock") >> pid;
  EXPECT_EQ(pid, ::getpid());
}

TEST_F(LockFileTest, ItCanBeTakenTimeAndAgain) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(LockFile::Acquire(dir_));
  EXPECT_TRUE(fs::is_empty(dir_));
}

// --- what other users can do ---

mode_t ModeOf(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

bool BecomeNobody() {
  return ::setresgid(kNobody, kNobody, kNobody) == 0 &&
         ::setresuid(kNobody, kNobody, kNobody) == 0;
}

// As earlier versions made it.
void WriteExposed(const std::string& path, const std::string& pid) {
  std::ofstream(path) << pid << "\n";
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
}

// The process that a store which died would have had.
std::string DeadPid() {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  ::waitpid(pid, nullptr, 0);
  return std::to_string(pid);
}

TEST_F(LockFileTest, NobodyElseCanOpenIt) {
  const mode_t umask_before = ::umask(0);
  const Result<LockFile> lock = LockFile::Acquire(dir_);
  ::umask(umask_before);
  ASSERT_TRUE(lock);
  EXPECT_EQ(ModeOf(dir_ + "/lock"), 0600U);
  if (::geteuid() != 0) return;
  ASSERT_EQ(::chmod(dir_.c_str(), 0755), 0);
  const Holder other([this] {
    return BecomeNobody() && ::open((dir_ + "/lock").c_str(), O_RDONLY) < 0 &&
           errno == EACCES;
  });
  EXPECT_TRUE(other.locked());
}

TEST_F(LockFileTest, WhoeverHoldsAnOldFileKeepsNobodyAway) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become nobody";
  ASSERT_EQ(::chmod(dir_.c_str(), 0755), 0);
  for (const int how : {LOCK_SH, LOCK_EX}) {
    WriteExposed(dir_ + "/lock", DeadPid());
    const Holder other([this, how] {
      static int fd = -1;
      if (!BecomeNobody()) return false;
      fd = ::open((dir_ + "/lock").c_str(), O_RDONLY);
      return ::flock(fd, how | LOCK_NB) == 0;
    });
    ASSERT_TRUE(other.locked());
    const Result<LockFile> lock = LockFile::Acquire(dir_);
    ASSERT_TRUE(lock) << lock.error().message;
    EXPECT_EQ(ModeOf(dir_ + "/lock"), 0600U);
    EXPECT_FALSE(LockFile::Acquire(dir_)) << "it must be a lock";
  }
  EXPECT_TRUE(fs::is_empty(dir_));
}

TEST_F(LockFileTest, AnotherUsersPidInAnotherUsersFileIsNoStore) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become nobody";
  ASSERT_EQ(::chmod(dir_.c_str(), 01777), 0);
  const Holder other([this] {
    static int fd = -1;
    if (!BecomeNobody()) return false;
    fd = ::open((dir_ + "/lock").c_str(), O_RDWR | O_CREAT, 0600);
    const std::string pid = std::to_string(::getpid());
    return ::write(fd, pid.data(), pid.size()) > 0 &&
           ::flock(fd, LOCK_EX | LOCK_NB) == 0;
  });
  ASSERT_TRUE(other.locked());
  const Result<LockFile> lock = LockFile::Acquire(dir_);
  EXPECT_TRUE(lock) << lock.error().message;
}

TEST_F(LockFileTest, AStoreOfAnEarlierVersionKeepsItsLock) {
  const Holder store([this] {
    static int fd = -1;
    WriteExposed(dir_ + "/lock", std::to_string(::getpid()));
    fd = ::open((dir_ + "/lock").c_str(), O_RDWR);
    return ::flock(fd, LOCK_EX | LOCK_NB) == 0;
  });
  ASSERT_TRUE(store.locked());
  const Result<LockFile> second = LockFile::Acquire(dir_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUnavailable);
  EXPECT_NE(second.error().message.find(std::to_string(store.pid())),
            std::string::npos)
      << second.error().message;
}

TEST_F(LockFileTest, OfManyThatReplaceAnOldFileOneHasTheLock) {
  for (int round = 0; round < 20; ++round) {
    WriteExposed(dir_ + "/lock", DeadPid());
    std::array<int, 2> go{};
    ASSERT_EQ(::pipe(go.data()), 0);
    std::vector<pid_t> stores;
    for (int i = 0; i < 8; ++i) {
      stores.push_back(::fork());
      if (stores.back() != 0) continue;
      ::close(go[1]);
      char byte = 0;
      (void)!::read(go[0], &byte, 1);
      const Result<LockFile> lock = LockFile::Acquire(dir_);
      if (lock) ::usleep(200000);  // So long that all others have tried.
      ::_exit(lock ? 1 : 0);
    }
    ::close(go[0]);
    ::close(go[1]);
    int winners = 0;
    for (const pid_t pid : stores) {
      int status = 0;
      ::waitpid(pid, &status, 0);
      winners += WIFEXITED(status) ? WEXITSTATUS(status) : 100;
    }
    EXPECT_EQ(winners, 1);
  }
}

// --- where nothing can be written ---

TEST_F(LockFileTest, AReadOnlyDirectoryIsLockedAllTheSame) {
  const ScratchMount mount("tmpfs", "size=1m");
  if (!mount.mounted()) GTEST_SKIP() << "cannot mount a tmpfs";
  const auto remount = [&](unsigned long flags) {
    return ::mount(nullptr, mount.path().c_str(), nullptr, MS_REMOUNT | flags,
                   nullptr) == 0;
  };
  for (const bool with_file : {false, true}) {
    if (with_file) {
      ASSERT_EQ(::close(::open((mount.path() + "/lock").c_str(),
                               O_CREAT | O_WRONLY, 0600)),
                0);
    }
    ASSERT_TRUE(remount(MS_RDONLY));
    {
      const Result<LockFile> lock = LockFile::Acquire(mount.path());
      ASSERT_TRUE(lock) << lock.error().message;
      EXPECT_FALSE(LockFile::Acquire(mount.path()));
      ASSERT_TRUE(remount(0));
      EXPECT_FALSE(LockFile::Acquire(mount.path())) << "the same lock";
    }
    const Result<LockFile> later = LockFile::Acquire(mount.path());
    EXPECT_TRUE(later) << later.error().message;
  }
}

TEST_F(LockFileTest, AFullDirectoryIsLockedAllTheSame) {
  const ScratchMount mount("tmpfs", "size=64k,nr_inodes=2");
  if (!mount.mounted()) GTEST_SKIP() << "cannot mount a tmpfs";
  std::ofstream(mount.path() + "/filler") << std::string(1 << 20, 'x');
  const Result<LockFile> lock = LockFile::Acquire(mount.path());
  ASSERT_TRUE(lock) << lock.error().message;
  fs::remove(mount.path() + "/filler");
  EXPECT_FALSE(LockFile::Acquire(mount.path()));
}

}  // namespace
}  // namespace vitrine::store
