#include "store/host/lock_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

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

// A process that has the lock of `state_dir`, until it is killed.
class Holder {
 public:
  explicit Holder(const std::string& state_dir) {
    std::array<int, 2> ready{};
    if (::pipe(ready.data()) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      const Result<LockFile> lock = LockFile::Acquire(state_dir);
      const char answer = lock ? 'y' : 'n';
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

}  // namespace
}  // namespace vitrine::store
