// `file:///directory`.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "schema/base/unique_fd.h"
#include "store/tiers/external_store.h"
#include "tests/store/tiers/bytes.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::store {
namespace {

namespace fs = std::filesystem;
using HandlePtr = std::unique_ptr<ExternalStoreHandle>;

// From here on, this thread's calls of `number` fail with `errno_value`.
void FailCalls(int number, int errno_value) {
  std::array<sock_filter, 4> code = {
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                           static_cast<uint32_t>(number), 0, 1),
      sock_filter BPF_STMT(
          BPF_RET | BPF_K,
          SECCOMP_RET_ERRNO | static_cast<uint32_t>(errno_value)),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program{code.size(), code.data()};
  ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

class FileExternalStoreTest : public ::testing::Test {
 protected:
  static std::string UrlOf(const std::string& path) { return "file://" + path; }
  std::string path() const { return scratch_.path() + "/values"; }
  HandlePtr Connect() {
    auto handle = ExternalStore::Connect(UrlOf(path()));
    EXPECT_TRUE(handle) << handle.error().ToString();
    return handle ? *std::move(handle) : nullptr;
  }
  static size_t CountFiles(const std::string& path) {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(path)) {
      ++count;
    }
    return count;
  }
  static std::map<std::string, uint64_t> List(ExternalStoreHandle* handle) {
    std::map<std::string, uint64_t> listed;
    EXPECT_TRUE(handle->List([&](std::string_view name, uint64_t size_bytes) {
      listed.emplace(name, size_bytes);
    }));
    return listed;
  }
  // Not tmpfs: it has direct I/O.
  ScratchDir scratch_{"/var/tmp"};
};

TEST_F(FileExternalStoreTest, KeepsReplacesListsAndDeletes) {
  const HandlePtr handle = Connect();
  ASSERT_TRUE(PutText(handle.get(), "a", "one"));
  ASSERT_TRUE(PutText(handle.get(), "a", "another"));
  ASSERT_TRUE(PutText(handle.get(), "b", ""));
  EXPECT_EQ(GetText(handle.get(), "a", 7), "another");
  EXPECT_EQ(GetText(handle.get(), "a", 3, 2), "oth");
  EXPECT_EQ(GetText(handle.get(), "b", 0), "");
  EXPECT_EQ(List(handle.get()),
            (std::map<std::string, uint64_t>{{"a", 7}, {"b", 0}}));
  const std::array<std::string, 3> names = {"nosuch", "a", "b"};
  EXPECT_TRUE(handle->Delete(names));
  EXPECT_TRUE(List(handle.get()).empty());
  std::byte byte{};
  EXPECT_EQ(handle->Get("a", 0, {&byte, 1}).error().code, Code::kNotFound);
}

TEST_F(FileExternalStoreTest, OutlivesItsHandles) {
  ASSERT_TRUE(PutText(Connect().get(), "a", "one"));
  EXPECT_EQ(GetText(Connect().get(), "a", 3), "one");
}

TEST_F(FileExternalStoreTest, TheEndOfAValueIsAnError) {
  const HandlePtr handle = Connect();
  ASSERT_TRUE(PutText(handle.get(), "a", "one"));
  std::array<std::byte, 4> bytes{};
  EXPECT_EQ(handle->Get("a", 0, bytes).error().code, Code::kCorruption);
  EXPECT_EQ(handle->Get("a", 3, {bytes.data(), 1}).error().code,
            Code::kCorruption);
}

// Parts of all sizes, aligned and not, by way of the buffer and past it.
TEST_F(FileExternalStoreTest, PartsOfAnySizeBecomeOneValue) {
  const HandlePtr handle = Connect();
  const std::string source = RandomBytes(6 << 20, 1);
  alignas(4096) static std::array<std::byte, 3 << 20> aligned;
  std::copy_n(AsBytes(source).data(), aligned.size(), aligned.data());
  for (const size_t first :
       {0U, 1U, 4096U, 5000U, (1U << 20U) - 4096U, 1U << 20U}) {
    const std::array<ExternalStoreHandle::Part, 4> parts = {
        AsBytes(source).first(first), std::span<const std::byte>(aligned),
        AsBytes(source).subspan(3), AsBytes("end")};
    ASSERT_TRUE(handle->Put("a", parts));
    std::string expected;
    for (const auto& part : parts) {
      expected.append(reinterpret_cast<const char*>(part.data()), part.size());
    }
    EXPECT_TRUE(GetText(handle.get(), "a", expected.size()) == expected);
    EXPECT_EQ(List(handle.get())["a"], expected.size());
    EXPECT_TRUE(GetText(handle.get(), "a", 2 << 20, 4096) ==
                expected.substr(4096, 2 << 20));
  }
}

TEST_F(FileExternalStoreTest, AlignedMemoryIsReadPastThePageCache) {
  const HandlePtr handle = Connect();
  const std::string source = RandomBytes((3 << 20) + 5, 2);
  ASSERT_TRUE(PutText(handle.get(), "a", source));
  alignas(4096) static std::array<std::byte, 3 << 20> aligned;
  ASSERT_TRUE(handle->Get("a", 0, aligned));
  EXPECT_EQ(std::memcmp(aligned.data(), source.data(), aligned.size()), 0);
  // Up to the odd end.
  const auto end = std::span(aligned).first((2 << 20) + 5);
  ASSERT_TRUE(handle->Get("a", 1 << 20, end));
  EXPECT_EQ(std::memcmp(end.data(), source.data() + (1 << 20), end.size()), 0);
  EXPECT_EQ(handle->Get("a", 1 << 20, aligned).error().code, Code::kCorruption);
}

TEST_F(FileExternalStoreTest, OtherNamesAreRefused) {
  const HandlePtr handle = Connect();
  for (const char* name : {"../a", ".hidden", "a/b", ""}) {
    EXPECT_EQ(PutText(handle.get(), name, "x").error().code,
              Code::kInvalidArgument);
    EXPECT_EQ(handle->Get(name, 0, {}).error().code, Code::kInvalidArgument);
    const std::string text = name;
    EXPECT_EQ(handle->Delete({&text, 1}).error().code, Code::kInvalidArgument);
  }
}

TEST_F(FileExternalStoreTest, WhatACrashLeftUnfinishedGoes) {
  { Connect(); }
  std::ofstream(path() + "/.new-7") << "half a value";
  std::ofstream(path() + "/.other") << "not ours";
  const HandlePtr handle = Connect();
  EXPECT_FALSE(fs::exists(path() + "/.new-7"));
  EXPECT_TRUE(fs::exists(path() + "/.other"));
  EXPECT_TRUE(List(handle.get()).empty());
}

TEST_F(FileExternalStoreTest, TheDirectoryIsForOneStoreAlone) {
  const HandlePtr handle = Connect();
  struct stat info {};
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700U);
  const UniqueFd other(::open(path().c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_NE(::flock(other.get(), LOCK_EX | LOCK_NB), 0);
}

TEST_F(FileExternalStoreTest, ADirectoryThatAnotherHasIsRefused) {
  fs::create_directory(path());
  fs::permissions(path(), fs::perms::owner_all);
  const UniqueFd other(::open(path().c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(::flock(other.get(), LOCK_EX | LOCK_NB), 0);
  const auto handle = ExternalStore::Connect(UrlOf(path()));
  ASSERT_FALSE(handle);
  EXPECT_EQ(handle.error().code, Code::kUnavailable);
}

TEST_F(FileExternalStoreTest, ADirectoryThatIsOpenToOthersIsRefused) {
  ASSERT_EQ(::mkdir(path().c_str(), 0700), 0);
  ASSERT_EQ(::chmod(path().c_str(), 0755), 0);
  auto handle = ExternalStore::Connect(UrlOf(path()));
  ASSERT_FALSE(handle);
  EXPECT_EQ(handle.error().code, Code::kNotPermitted);
  EXPECT_NE(handle.error().message.find("chmod 700"), std::string::npos);
  ASSERT_EQ(::chmod(path().c_str(), 0700), 0);
  ASSERT_EQ(::chown(path().c_str(), 65534, 65534), 0);
  handle = ExternalStore::Connect(UrlOf(path()));
  ASSERT_FALSE(handle);
  EXPECT_EQ(handle.error().code, Code::kNotPermitted);
}

TEST_F(FileExternalStoreTest, SymbolicLinksLeadNowhere) {
  fs::create_directory_symlink(scratch_.path(), path());
  EXPECT_FALSE(ExternalStore::Connect(UrlOf(path())));
  fs::remove(path());
  const HandlePtr handle = Connect();
  const std::string outside = scratch_.path() + "/outside";
  std::ofstream(outside) << "secret";
  fs::create_symlink(outside, path() + "/a");
  EXPECT_EQ(GetText(handle.get(), "a", 6).find("secret"), std::string::npos);
  EXPECT_TRUE(List(handle.get()).empty());
  ASSERT_TRUE(PutText(handle.get(), "a", "ours"));  // Replaces the link.
  EXPECT_EQ(fs::file_size(outside), 6u);
  EXPECT_EQ(GetText(handle.get(), "a", 4), "ours");
}

TEST_F(FileExternalStoreTest, PlacesThatMakeNoSenseAreRefused) {
  for (const char* url : {"file://", "file:///", "file://relative",
                          "file:///no/such/parent/dir", "file:///dev/null"}) {
    EXPECT_FALSE(ExternalStore::Connect(url)) << url;
  }
}

TEST_F(FileExternalStoreTest, AFullDiskLeavesNothingHalf) {
  const ScratchMount mount("tmpfs", "size=2m,mode=0700");
  if (!mount.mounted()) GTEST_SKIP() << "needs root";
  auto handle = ExternalStore::Connect(UrlOf(mount.path()));
  ASSERT_TRUE(handle) << handle.error().ToString();
  ASSERT_TRUE(PutText(handle->get(), "a", "one"));
  const Status put = PutText(handle->get(), "b", RandomBytes(3 << 20, 3));
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code, Code::kOutOfMemory);
  EXPECT_NE(put.error().message.find(mount.path()), std::string::npos);
  EXPECT_FALSE(PutText(handle->get(), "a", RandomBytes(3 << 20, 3)));
  EXPECT_EQ(CountFiles(mount.path()), 1u);
  EXPECT_EQ(GetText(handle->get(), "a", 3), "one");
  EXPECT_TRUE(PutText(handle->get(), "c", RandomBytes(1 << 20, 4)));
}

// What a failed fsync(2) has left in the file is unknown.
TEST_F(FileExternalStoreTest, AFailedSyncPublishesNothing) {
  const HandlePtr handle = Connect();
  ASSERT_TRUE(PutText(handle.get(), "a", "one"));
  std::thread([&] {
    FailCalls(SYS_fsync, EIO);
    const Status put = PutText(handle.get(), "a", "two");
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().code, Code::kIoError);
  }).join();
  EXPECT_EQ(GetText(handle.get(), "a", 3), "one");
  EXPECT_EQ(CountFiles(path()), 1u);
  EXPECT_TRUE(PutText(handle.get(), "a", "two"));
}

TEST_F(FileExternalStoreTest, AFailedWriteOrRenamePublishesNothing) {
  const HandlePtr handle = Connect();
  ASSERT_TRUE(PutText(handle.get(), "a", "one"));
  for (const int call :
       {SYS_pwrite64, SYS_ftruncate, SYS_rename, SYS_renameat, SYS_renameat2}) {
    std::thread([&] {
      FailCalls(call, EIO);
      (void)PutText(handle.get(), "b", "two");
    }).join();
  }
  EXPECT_LE(CountFiles(path()), 2u);  // libc has one rename call of three.
  std::thread([&] {
    FailCalls(SYS_openat, EMFILE);
    EXPECT_EQ(PutText(handle.get(), "b", "two").error().code, Code::kTooMany);
    EXPECT_EQ(GetText(handle.get(), "a", 3).find("too many"), 0u);
  }).join();
  std::thread([&] {
    FailCalls(SYS_pread64, EIO);
    EXPECT_EQ(GetText(handle.get(), "a", 3).find("input/output"), 0u);
  }).join();
}

TEST_F(FileExternalStoreTest, HandlesOfThreadsDoNotMeet) {
  const HandlePtr first = Connect();
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      const HandlePtr handle = Connect();
      const std::string bytes = RandomBytes(300'000, i);
      for (int round = 0; round < 5; ++round) {
        const std::string name = "value-" + std::to_string(i);
        ASSERT_TRUE(PutText(handle.get(), name, bytes));
        ASSERT_TRUE(PutText(handle.get(), "shared", bytes));
        EXPECT_TRUE(GetText(handle.get(), name, bytes.size()) == bytes);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(List(first.get()).size(), 5u);
  EXPECT_EQ(CountFiles(path()), 5u);
}

}  // namespace
}  // namespace vitrine::store
