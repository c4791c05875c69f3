// When memory is short, or of another kind.
#include <sys/mount.h>
#include <sys/xattr.h>

#include "tests/fusefs/mounted_store.h"
#include "tests/support/scratch_huge_pages.h"

namespace vitrine::fusefs {
namespace {

constexpr uint64_t kMiB = 1 << 20;

class PressureTest : public BothModes {
 protected:
  void SetUp() override {
    if (!StartMounted(GetParam(), 64 * kMiB) && !skip_.empty()) {
      GTEST_SKIP() << skip_;
    }
    ASSERT_TRUE(mount_);
  }
  void Hold(const std::string& id) {
    ASSERT_EQ(
        ErrnoOf(::setxattr(Sealed(id).c_str(), "user.vitrine.hold", "1", 1, 0)),
        0);
  }
  // Sealed objects of 8 MiB each that nobody uses.
  void Fill(int count, bool hold) {
    for (int i = 0; i < count; ++i) {
      const std::string id = "filler" + std::to_string(i);
      Put(id, Pattern(8 * kMiB, static_cast<unsigned>(i)));
      if (hold) Hold(id);
    }
  }
};

TEST_P(PressureTest, FullStoreSaysSoAndIsUnharmed) {
  Fill(7, true);
  errno = 0;
  EXPECT_FALSE(WriteFile(Unsealed("a"), Pattern(40 * kMiB)));
  EXPECT_EQ(errno, ENOSPC);
  {
    const UniqueFd fd(::open(Unsealed("b").c_str(), O_RDWR | O_CREAT, 0644));
    EXPECT_EQ(ErrnoOf(::ftruncate(fd.get(), 40 * kMiB)), ENOSPC);
    EXPECT_EQ(ErrnoOf(::fallocate(fd.get(), 0, 0, 40 * kMiB)), ENOSPC);
  }
  EXPECT_EQ(::unlink(Unsealed("a").c_str()), 0);
  EXPECT_EQ(::unlink(Unsealed("b").c_str()), 0);
  for (int i = 0; i < 7; ++i) {
    EXPECT_TRUE(HasBytes(Sealed("filler" + std::to_string(i)),
                         Pattern(8 * kMiB, static_cast<unsigned>(i))));
  }
  EXPECT_TRUE(Eventually([this] { return WriteFile(Unsealed("c"), "small"); }));
}

TEST_P(PressureTest, FileThatFitsIsCopiedInWhateverTheStoreHeld) {
  for (unsigned round = 0; round < 3; ++round) {
    Fill(5, false);
    const std::string bytes = Pattern(40 * kMiB, round);
    const std::string id = "big" + std::to_string(round);
    ASSERT_NO_FATAL_FAILURE(Put(id, bytes)) << round;
    EXPECT_TRUE(HasBytes(Sealed(id), bytes));
    ASSERT_EQ(::unlink(Sealed(id).c_str()), 0);
    for (int i = 0; i < 5; ++i) {
      ::unlink(Sealed("filler" + std::to_string(i)).c_str());
    }
  }
}

TEST_P(PressureTest, WriterWithoutRoomIsCarriedBesideReaders) {
  Fill(6, true);
  UniqueFd writer(::open(Unsealed("a").c_str(), O_RDWR | O_CREAT, 0644));
  ASSERT_TRUE(writer.valid());
  const std::string bytes = Pattern(4 * kMiB);
  ASSERT_EQ(::write(writer.get(), bytes.data(), bytes.size()),
            static_cast<ssize_t>(bytes.size()));
  EXPECT_TRUE(HasBytes(Unsealed("a"), bytes));
  EXPECT_TRUE(InChild([&] {
    const int fd = ::open(Unsealed("a").c_str(), O_RDWR);
    CHILD_EXPECT(fd >= 0);
    void* data = ::mmap(nullptr, bytes.size(), PROT_READ | PROT_WRITE,
                        MAP_SHARED, fd, 0);
    CHILD_EXPECT(data != MAP_FAILED);
    CHILD_EXPECT(std::memcmp(data, bytes.data(), bytes.size()) == 0);
    std::memset(data, 'm', 100);
    CHILD_EXPECT(::munmap(data, bytes.size()) == 0);
  }));
  char byte = 0;
  ASSERT_EQ(::pread(writer.get(), &byte, 1, 99), 1);
  EXPECT_EQ(byte, 'm');
  writer = UniqueFd();
  ASSERT_EQ(ErrnoOf(::rename(Unsealed("a").c_str(), Sealed("a").c_str())), 0);
  EXPECT_TRUE(HasBytes(Sealed("a"), std::string(100, 'm') + bytes.substr(100)));
}

TEST_P(PressureTest, WhatIsMappedIsNeverEvicted) {
  const std::string bytes = Pattern(8 * kMiB, 77);
  Put("mapped", bytes);
  int ready[2];
  int go[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(go, O_CLOEXEC), 0);
  const pid_t child = StartChild([&] {
    const int fd = ::open(Sealed("mapped").c_str(), O_RDONLY);
    void* data = ::mmap(nullptr, bytes.size(), PROT_READ, MAP_SHARED, fd, 0);
    CHILD_EXPECT(data != MAP_FAILED);
    ::close(fd);
    char byte = 0;
    CHILD_EXPECT(::write(ready[1], "r", 1) == 1);
    CHILD_EXPECT(::read(go[0], &byte, 1) == 1);
    CHILD_EXPECT(std::memcmp(data, bytes.data(), bytes.size()) == 0);
  });
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  for (int i = 0; i < 30; ++i) {
    const std::string id = "n" + std::to_string(i);
    ASSERT_NO_FATAL_FAILURE(Put(id, Pattern(8 * kMiB)));
  }
  EXPECT_TRUE(FindSealed("mapped"));
  EXPECT_FALSE(FindSealed("n0"));
  ASSERT_EQ(::write(go[1], "g", 1), 1);
  EXPECT_TRUE(ChildSucceeded(child));
  for (const int fd : {ready[0], ready[1], go[0], go[1]}) ::close(fd);
}

INSTANTIATE_BOTH_MODES(PressureTest);

// hugetlbfs: no passthrough, no write(2), files in whole huge pages.
class HugetlbfsMountTest : public MountedStore {};

TEST_F(HugetlbfsMountTest, ObjectsHaveTheirOwnSizesAndBytes) {
  const ScratchHugePages pages(64);
  if (!pages.available()) GTEST_SKIP() << "cannot have huge pages";
  const ScratchDir dir("/tmp");
  if (::mount("none", dir.path().c_str(), "hugetlbfs", 0, nullptr) != 0) {
    GTEST_SKIP() << "cannot mount hugetlbfs";
  }
  StoreOptions options;
  options.capacity_bytes = 64 * kMiB;
  options.state_dir = state_dir_.path();
  options.memory_dir = dir.path();
  auto store = Store::Open(options);
  ASSERT_TRUE(store) << store.error().ToString();
  store_ = *std::move(store);
  const bool started = StartMount(Switch::kAuto);
  if (started) {
    EXPECT_FALSE(mount_->passthrough());
    const std::string bytes = Pattern(5'000'001);
    Put("a", bytes);
    EXPECT_TRUE(HasBytes(Sealed("a"), bytes));
    struct stat info;
    EXPECT_EQ(::stat(Sealed("a").c_str(), &info), 0);
    EXPECT_EQ(info.st_size, 5'000'001);
    EXPECT_EQ(::stat(Direct("a").c_str(), &info), 0);
    EXPECT_EQ(info.st_size, 6 * static_cast<off_t>(kMiB));
    EXPECT_TRUE(InChild([&] {
      const int fd = ::open(Unsealed("b").c_str(), O_RDWR | O_CREAT, 0644);
      CHILD_EXPECT(::ftruncate(fd, 3'000'000) == 0);
      void* data =
          ::mmap(nullptr, 3'000'000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
      CHILD_EXPECT(data != MAP_FAILED);
      std::memcpy(data, bytes.data(), 3'000'000);
      CHILD_EXPECT(::munmap(data, 3'000'000) == 0);
      ::close(fd);
      CHILD_EXPECT(::rename(Unsealed("b").c_str(), Sealed("b").c_str()) == 0);
    }));
    EXPECT_TRUE(HasBytes(Sealed("b"), bytes.substr(0, 3'000'000)));
    mount_.reset();
  }
  store_.reset();
  EXPECT_EQ(::umount2(dir.path().c_str(), MNT_DETACH), 0);
  if (!started) GTEST_SKIP() << skip_;
}

}  // namespace
}  // namespace vitrine::fusefs
