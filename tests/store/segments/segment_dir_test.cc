#include "store/segments/segment_dir.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

#include "schema/base/mapping.h"
#include "store/segments/segment_file.h"
#include "tests/support/huge_mapped.h"
#include "tests/support/scratch_dir.h"
#include "tests/support/scratch_huge_pages.h"

namespace vitrine::store {
namespace {

constexpr uint64_t kNumber = 0x12ab;
constexpr uint64_t kMiB = 1024 * 1024;
constexpr uint64_t kHugePageBytes = 2 * kMiB;

SegmentFile::Extent ExtentOf(const SegmentDir& dir, uint64_t number) {
  Result<std::shared_ptr<SegmentFile>> file = dir.OpenShared(number);
  EXPECT_TRUE(file);
  Result<SegmentFile::Extent> extent = (*file)->Stat();
  EXPECT_TRUE(extent);
  return *extent;
}

mode_t ModeOf(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0);
  return info.st_mode & 07777;
}

class SegmentDirTest : public testing::Test {
 protected:
  void SetUp() override {
    descriptors_ = CountDescriptors();
    OpenDir(scratch_.path());
  }
  void TearDown() override {
    dir_.reset();
    EXPECT_EQ(CountDescriptors(), descriptors_) << "a descriptor leaked";
  }
  void OpenDir(const std::string& path) {
    Result<SegmentDir> dir = SegmentDir::Open(path);
    ASSERT_TRUE(dir) << dir.error().ToString();
    dir_.emplace(std::move(*dir));
  }

  ScratchDir scratch_;
  std::optional<SegmentDir> dir_;
  size_t descriptors_ = 0;
};

TEST_F(SegmentDirTest, OtherFileSystemsAreRefused) {
  Result<SegmentDir> dir = SegmentDir::Open("/proc");
  ASSERT_FALSE(dir);
  EXPECT_EQ(dir.error().code, Code::kUnsupported);
  dir = SegmentDir::Open(scratch_.path() + "/none");
  ASSERT_FALSE(dir);
  EXPECT_EQ(dir.error().code, Code::kNotFound);
}

TEST_F(SegmentDirTest, TheProbeLeavesNothingBehind) {
  EXPECT_TRUE(std::filesystem::is_empty(scratch_.path()));
}

TEST_F(SegmentDirTest, ANumberIsCreatedOnce) {
  ASSERT_TRUE(dir_->Create(kNumber));
  Status again = dir_->Create(kNumber);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kAlreadyExists);
}

TEST_F(SegmentDirTest, AnUnknownNumberIsNotFound) {
  const std::vector<std::byte> data(1);
  EXPECT_EQ(dir_->OpenShared(1).error().code, Code::kNotFound);
  EXPECT_EQ(dir_->OpenFresh(1, O_RDWR).error().code, Code::kNotFound);
  EXPECT_EQ(dir_->SetSize(1, 1).error().code, Code::kNotFound);
  EXPECT_EQ(dir_->Reserve(1, 0, 1).error().code, Code::kNotFound);
  EXPECT_EQ(dir_->TrimToSize(1).error().code, Code::kNotFound);
  EXPECT_EQ(dir_->WriteAt(1, 0, data).error().code, Code::kNotFound);
  EXPECT_EQ(dir_->SetModified(1, 0).error().code, Code::kNotFound);
  EXPECT_EQ(dir_->MakeReadOnly(1, true).error().code, Code::kNotFound);
  EXPECT_EQ(dir_->Unlink(1).error().code, Code::kNotFound);
  dir_->Collapse(1, kHugePageBytes);
}

TEST_F(SegmentDirTest, ImpossibleRangesAreRefused) {
  ASSERT_TRUE(dir_->Create(kNumber));
  EXPECT_EQ(dir_->SetSize(kNumber, UINT64_MAX).error().code, Code::kTooLarge);
  EXPECT_EQ(dir_->Reserve(kNumber, UINT64_MAX, 2).error().code,
            Code::kTooLarge);
  EXPECT_EQ(dir_->Reserve(kNumber, 2, UINT64_MAX).error().code,
            Code::kTooLarge);
  EXPECT_TRUE(dir_->Reserve(kNumber, 0, 0));
}

TEST_F(SegmentDirTest, ASymbolicLinkIsNotFollowed) {
  ASSERT_EQ(::symlink("/etc/passwd", dir_->PathOf(kNumber).c_str()), 0);
  EXPECT_FALSE(dir_->OpenShared(kNumber));
}

TEST_F(SegmentDirTest, ModesDoNotDependOnTheUmask) {
  const mode_t old_umask = ::umask(0777);
  const Status created = dir_->Create(kNumber);
  ::umask(old_umask);
  ASSERT_TRUE(created);
  EXPECT_EQ(ModeOf(dir_->PathOf(kNumber)), 0600u);
  ASSERT_TRUE(dir_->MakeReadOnly(kNumber, false));
  EXPECT_EQ(ModeOf(dir_->PathOf(kNumber)), 0400u);
  ASSERT_TRUE(dir_->MakeReadOnly(kNumber, true));
  EXPECT_EQ(ModeOf(dir_->PathOf(kNumber)), 0444u);
}

TEST_F(SegmentDirTest, ListAllIgnoresOtherNames) {
  for (const char* name : {"index", "12AB567890123456", "00000000000000001",
                           ".probe-1-1", "000000000000000g"}) {
    std::ofstream(scratch_.path() + "/" + name) << "x";
  }
  ASSERT_TRUE(dir_->Create(1));
  ASSERT_TRUE(dir_->Create(UINT64_MAX));
  ASSERT_TRUE(dir_->Create(2));
  ASSERT_TRUE(dir_->Unlink(2));
  Result<std::vector<uint64_t>> numbers = dir_->ListAll();
  ASSERT_TRUE(numbers);
  std::sort(numbers->begin(), numbers->end());
  EXPECT_EQ(*numbers, (std::vector<uint64_t>{1, UINT64_MAX}));
}

TEST_F(SegmentDirTest, TimesBeforeTheEpochAreKept) {
  ASSERT_TRUE(dir_->Create(kNumber));
  ASSERT_TRUE(dir_->SetModified(kNumber, -1));
  EXPECT_EQ(ExtentOf(*dir_, kNumber).modified_ns, -1);
}

TEST_F(SegmentDirTest, ReserveTakesMemoryBeyondTheSizeAndTrimGivesItBack) {
  ASSERT_TRUE(dir_->Create(kNumber));
  ASSERT_TRUE(dir_->SetSize(kNumber, 5000));
  ASSERT_TRUE(dir_->Reserve(kNumber, 0, kMiB));
  ASSERT_TRUE(dir_->SetModified(kNumber, 77));
  EXPECT_EQ(ExtentOf(*dir_, kNumber).size_bytes, 5000u);
  EXPECT_EQ(ExtentOf(*dir_, kNumber).allocated_bytes, kMiB);
  ASSERT_TRUE(dir_->TrimToSize(kNumber));
  ASSERT_TRUE(dir_->TrimToSize(kNumber));
  EXPECT_EQ(ExtentOf(*dir_, kNumber).size_bytes, 5000u);
  EXPECT_EQ(ExtentOf(*dir_, kNumber).allocated_bytes, 8192u);
  EXPECT_EQ(ExtentOf(*dir_, kNumber).modified_ns, 77);
}

TEST_F(SegmentDirTest, WriteAtGrowsTheSize) {
  const std::string text = "hello";
  ASSERT_TRUE(dir_->Create(kNumber));
  ASSERT_TRUE(dir_->WriteAt(kNumber, 10, std::as_bytes(std::span(text))));
  EXPECT_EQ(ExtentOf(*dir_, kNumber).size_bytes, 15u);
}

TEST_F(SegmentDirTest, SpaceIsThatOfTheFileSystem) {
  Result<SegmentDir::Space> space = dir_->GetSpace();
  ASSERT_TRUE(space);
  EXPECT_GT(space->total_bytes, 0u);
  EXPECT_LE(space->free_bytes, space->total_bytes);
}

TEST_F(SegmentDirTest, ThePathDescriptionLeadsToTheSegments) {
  ASSERT_TRUE(dir_->Create(kNumber));
  Result<UniqueFd> path = dir_->OpenPath();
  ASSERT_TRUE(path);
  const UniqueFd fd(
      ::openat(path->get(), "00000000000012ab", O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(fd.valid());
}

// On tmpfs mounts of this process's own.
class SegmentDirOnTmpfsTest : public SegmentDirTest {
 protected:
  void SetUp() override {}
  void MountAndOpen(const std::string& options) {
    if (::geteuid() != 0) GTEST_SKIP() << "mounting needs root";
    mount_.emplace("tmpfs", options);
    if (!mount_->mounted() && std::getenv("CI") == nullptr) {
      GTEST_SKIP() << "cannot mount tmpfs: " << std::strerror(mount_->error());
    }
    ASSERT_TRUE(mount_->mounted()) << std::strerror(mount_->error());
    descriptors_ = CountDescriptors();
    OpenDir(mount_->path());
  }
  void TearDown() override {
    if (dir_) SegmentDirTest::TearDown();
  }

  std::optional<ScratchMount> mount_;
};

TEST_F(SegmentDirOnTmpfsTest, AFullFileSystemKeepsWhatItHad) {
  MountAndOpen("size=8M");
  if (!dir_) return;
  ASSERT_TRUE(dir_->Create(kNumber));
  ASSERT_TRUE(dir_->Reserve(kNumber, kMiB, kMiB));
  Status status = dir_->Reserve(kNumber, 0, 8 * kMiB + 4096);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kOutOfMemory);
  EXPECT_EQ(ExtentOf(*dir_, kNumber).allocated_bytes, kMiB);
  ASSERT_TRUE(dir_->Create(1));
  status = dir_->Reserve(1, 0, 7 * kMiB + 4096);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kOutOfMemory);
  EXPECT_EQ(ExtentOf(*dir_, 1).allocated_bytes, 0u);
  EXPECT_TRUE(dir_->Reserve(1, 0, 7 * kMiB));
}

TEST_F(SegmentDirOnTmpfsTest, AFullFileSystemFailsWriteAt) {
  MountAndOpen("size=1M");
  if (!dir_) return;
  ASSERT_TRUE(dir_->Create(kNumber));
  const std::vector<std::byte> data(2 * kMiB);
  Status status = dir_->WriteAt(kNumber, 0, data);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kOutOfMemory);
}

TEST_F(SegmentDirOnTmpfsTest, SpaceWithoutALimitIsThatOfTheMachine) {
  MountAndOpen("size=0");
  if (!dir_) return;
  Result<SegmentDir::Space> space = dir_->GetSpace();
  ASSERT_TRUE(space);
  EXPECT_GT(space->total_bytes, 0u);
}

TEST_F(SegmentDirOnTmpfsTest, CollapseGivesHugePagesToAFileThatGrewByWrites) {
  MountAndOpen("size=64M,huge=within_size");
  if (!dir_) return;
  const std::vector<std::byte> piece(128 * 1024, std::byte{'x'});
  const uint64_t size_bytes = 3 * kHugePageBytes + piece.size();
  ASSERT_TRUE(dir_->Create(kNumber));
  for (uint64_t offset = 0; offset < size_bytes; offset += piece.size()) {
    ASSERT_TRUE(dir_->WriteAt(kNumber, offset, piece));
  }
  dir_->Collapse(kNumber, size_bytes);
  Result<UniqueFd> fd = dir_->OpenFresh(kNumber, O_RDONLY);
  ASSERT_TRUE(fd);
  Result<Mapping> mapping = Mapping::Map(fd->get(), size_bytes, PROT_READ);
  ASSERT_TRUE(mapping);
  EXPECT_EQ(
      std::count(mapping->data(), mapping->data() + size_bytes, std::byte{'x'}),
      static_cast<ptrdiff_t>(size_bytes));
  const uint64_t huge_bytes = HugeMappedBytes(mapping->data());
  if (huge_bytes == 0) GTEST_SKIP() << "this kernel collapses no tmpfs files";
  EXPECT_EQ(huge_bytes, 3 * kHugePageBytes);
}

TEST_F(SegmentDirOnTmpfsTest, ReservingBeyondTheSizeGivesHugePages) {
  MountAndOpen("size=64M,huge=within_size");
  if (!dir_) return;
  ASSERT_TRUE(dir_->Create(kNumber));
  ASSERT_TRUE(dir_->Reserve(kNumber, 0, 4 * kHugePageBytes));
  const std::vector<std::byte> data(2 * kHugePageBytes + 5000);
  ASSERT_TRUE(dir_->WriteAt(kNumber, 0, data));
  ASSERT_TRUE(dir_->TrimToSize(kNumber));
  EXPECT_EQ(ExtentOf(*dir_, kNumber).allocated_bytes,
            2 * kHugePageBytes + 8192);
}

class SegmentDirOnHugetlbfsTest : public SegmentDirTest {
 protected:
  static constexpr uint64_t kPages = 8;

  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "mounting needs root";
    pages_.emplace(kPages);
    if (!pages_->available()) GTEST_SKIP() << "no huge pages to be had";
    mount_.emplace("hugetlbfs", "pagesize=2M,size=16M");
    if (!mount_->mounted()) GTEST_SKIP() << std::strerror(mount_->error());
    descriptors_ = CountDescriptors();
    Result<SegmentDir> dir = SegmentDir::Open(mount_->path());
    if (!dir && dir.error().code == Code::kUnsupported) {
      GTEST_SKIP() << dir.error().ToString();
    }
    ASSERT_TRUE(dir) << dir.error().ToString();
    dir_.emplace(std::move(*dir));
  }
  void TearDown() override {
    if (dir_) SegmentDirTest::TearDown();
  }

  std::optional<ScratchHugePages> pages_;
  std::optional<ScratchMount> mount_;
};

TEST_F(SegmentDirOnHugetlbfsTest, AFullPoolKeepsWhatItHad) {
  ASSERT_TRUE(dir_->Create(kNumber));
  ASSERT_TRUE(dir_->Reserve(kNumber, 2 * kHugePageBytes, 1));
  Status status = dir_->Reserve(kNumber, 0, (kPages + 1) * kHugePageBytes);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kOutOfMemory);
  EXPECT_EQ(ExtentOf(*dir_, kNumber).allocated_bytes, kHugePageBytes);
  EXPECT_EQ(dir_->GetSpace()->free_bytes, (kPages - 1) * kHugePageBytes);
  EXPECT_TRUE(dir_->Reserve(kNumber, 0, kPages * kHugePageBytes));
  EXPECT_EQ(dir_->GetSpace()->free_bytes, 0u);
}

// Its size is no whole page: what the store maps to fill it is unmapped again.
TEST_F(SegmentDirOnHugetlbfsTest, ARetiredOneThatWasFilledIsFreeToGo) {
  const std::string path = mount_->path();
  ASSERT_EQ(::mkdir((path + "/segments").c_str(), 0700), 0);
  ASSERT_EQ(::mkdir((path + "/retired").c_str(), 0700), 0);
  Result<SegmentDir> dir =
      SegmentDir::Open(path + "/segments", path + "/retired");
  ASSERT_TRUE(dir) << dir.error().ToString();
  {
    const auto fd = dir->CreateRetired(kNumber, 5000);
    ASSERT_TRUE(fd) << fd.error().ToString();
  }
  ASSERT_TRUE(dir->Reinstate(kNumber, kNumber + 1));
  const auto file = dir->OpenShared(kNumber + 1);
  ASSERT_TRUE(file);
  EXPECT_TRUE(*(*file)->LeaseAlone());
}

TEST_F(SegmentDirOnHugetlbfsTest, TrimGivesBackWhatWasReserved) {
  ASSERT_TRUE(dir_->Create(kNumber));
  ASSERT_TRUE(dir_->Reserve(kNumber, 0, kPages * kHugePageBytes));
  ASSERT_TRUE(dir_->SetSize(kNumber, 1));
  EXPECT_EQ(ExtentOf(*dir_, kNumber).size_bytes, kHugePageBytes);
  ASSERT_TRUE(dir_->TrimToSize(kNumber));
  EXPECT_EQ(ExtentOf(*dir_, kNumber).allocated_bytes, kHugePageBytes);
  EXPECT_EQ(dir_->GetSpace()->free_bytes, (kPages - 1) * kHugePageBytes);
}

TEST_F(SegmentDirOnHugetlbfsTest, WhatIsCutOffIsCleared) {
  const std::vector<std::byte> data(kHugePageBytes, std::byte{'x'});
  ASSERT_TRUE(dir_->Create(kNumber));
  ASSERT_TRUE(dir_->SetSize(kNumber, data.size()));
  ASSERT_TRUE(dir_->WriteAt(kNumber, 0, data));
  ASSERT_TRUE(dir_->SetSize(kNumber, 1000));
  ASSERT_TRUE(dir_->SetSize(kNumber, data.size()));
  Result<std::shared_ptr<SegmentFile>> file = dir_->OpenShared(kNumber);
  ASSERT_TRUE(file);
  std::vector<std::byte> seen(data.size());
  ASSERT_TRUE((*file)->ReadAt(0, seen));
  EXPECT_EQ(std::count(seen.begin(), seen.begin() + 1000, std::byte{'x'}),
            1000);
  EXPECT_EQ(std::count(seen.begin(), seen.end(), std::byte{'x'}), 1000);
}

TEST_F(SegmentDirOnHugetlbfsTest, WhatIsWrittenIsRead) {
  const std::string text = "across the border of two pages";
  const uint64_t offset = kHugePageBytes - 9;
  ASSERT_TRUE(dir_->Create(kNumber));
  ASSERT_TRUE(dir_->Reserve(kNumber, offset, text.size()));
  ASSERT_TRUE(dir_->WriteAt(kNumber, offset, std::as_bytes(std::span(text))));
  Result<std::shared_ptr<SegmentFile>> file = dir_->OpenShared(kNumber);
  ASSERT_TRUE(file);
  std::string seen(text.size(), '\0');
  Result<size_t> got =
      (*file)->ReadAt(offset, std::as_writable_bytes(std::span(seen)));
  ASSERT_TRUE(got) << got.error().ToString();
  EXPECT_EQ(*got, text.size());
  EXPECT_EQ(seen, text);
}

TEST_F(SegmentDirOnHugetlbfsTest, WritingWithoutMemoryIsAnError) {
  ASSERT_TRUE(dir_->Create(1));
  ASSERT_TRUE(dir_->Reserve(1, 0, kPages * kHugePageBytes));
  ASSERT_TRUE(dir_->Create(kNumber));
  const std::vector<std::byte> data(10);
  Status status = dir_->WriteAt(kNumber, 0, data);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kOutOfMemory);
}

TEST_F(SegmentDirOnHugetlbfsTest, LeasesTellTheTruth) {
  ASSERT_TRUE(dir_->Create(kNumber));
  EXPECT_EQ(dir_->page_bytes(), kHugePageBytes);
  EXPECT_TRUE(dir_->is_hugetlbfs());
  Result<std::shared_ptr<SegmentFile>> file = dir_->OpenShared(kNumber);
  ASSERT_TRUE(file);
  Result<bool> alone = (*file)->LeaseAlone();
  ASSERT_TRUE(alone);
  EXPECT_TRUE(*alone);
}

// On a tmpfs with small pages, as /dev/shm is.
TEST(CollapseTest, RetiredSegmentsGetHugePagesAndKeepTheirBytes) {
  const ScratchDir scratch("/dev/shm");
  for (const char* name : {"/segments", "/retired"}) {
    std::filesystem::create_directory(scratch.path() + name);
  }
  auto dir = SegmentDir::Open(scratch.path() + "/segments",
                              scratch.path() + "/retired");
  ASSERT_TRUE(dir);
  EXPECT_FALSE(dir->collapses());
  dir->CollapseRetired(kNumber, 4 * kMiB);  // Not switched on: nothing.
  dir->TryCollapse();
  if (!dir->collapses()) GTEST_SKIP() << "this kernel does not collapse";
  constexpr uint64_t kBytes = 5 * kMiB;
  {
    const auto fd = dir->CreateRetired(kNumber, kBytes);
    ASSERT_TRUE(fd);
    auto mapping = Mapping::Map(fd->get(), kBytes, PROT_READ | PROT_WRITE);
    ASSERT_TRUE(mapping);
    for (uint64_t i = 0; i < kBytes; ++i) {
      mapping->data()[i] = static_cast<std::byte>(i / 4096);
    }
  }
  dir->CollapseRetired(kNumber, kBytes);
  dir->CollapseRetired(kNumber + 1, kBytes);  // There is no such segment.
  EXPECT_EQ(dir->collapsed_bytes(), 4 * kMiB);
  ASSERT_TRUE(dir->Reinstate(kNumber, kNumber));
  auto file = dir->OpenShared(kNumber);
  ASSERT_TRUE(file);
  auto mapping = Mapping::Map((*file)->fd(), kBytes, PROT_READ);
  ASSERT_TRUE(mapping);
  for (uint64_t i = 0; i < kBytes; ++i) {
    ASSERT_EQ(mapping->data()[i], static_cast<std::byte>(i / 4096)) << i;
  }
  EXPECT_EQ(HugeMappedBytes(mapping->data()), 4 * kMiB);
}

}  // namespace
}  // namespace vitrine::store
