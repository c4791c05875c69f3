#include "store/segments/segment_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <atomic>
#include <cstring>
#include <optional>
#include <thread>

#include "schema/base/mapping.h"
#include "store/segments/segment_dir.h"
#include "tests/support/eventually.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::store {
namespace {

constexpr uint64_t kNumber = 7;

class SegmentFileTest : public testing::Test {
 protected:
  void SetUp() override {
    descriptors_ = CountDescriptors();
    Result<SegmentDir> dir = SegmentDir::Open(scratch_.path());
    ASSERT_TRUE(dir) << dir.error().ToString();
    dir_.emplace(std::move(*dir));
    ASSERT_TRUE(dir_->Create(kNumber));
    Result<std::shared_ptr<SegmentFile>> file = dir_->OpenShared(kNumber);
    ASSERT_TRUE(file) << file.error().ToString();
    file_ = *file;
  }
  void TearDown() override {
    file_.reset();
    dir_.reset();
    EXPECT_EQ(CountDescriptors(), descriptors_) << "a descriptor leaked";
  }

  UniqueFd Open(int flags) const {
    return UniqueFd(::open(dir_->PathOf(kNumber).c_str(), flags | O_CLOEXEC));
  }
  bool NobodyWrites() const {
    Result<bool> answer = file_->NobodyWrites();
    EXPECT_TRUE(answer);
    return answer && *answer;
  }
  bool LeaseAlone() const {
    Result<bool> answer = file_->LeaseAlone();
    EXPECT_TRUE(answer);
    return answer && *answer;
  }

  ScratchDir scratch_;
  std::optional<SegmentDir> dir_;
  std::shared_ptr<SegmentFile> file_;
  size_t descriptors_ = 0;
};

TEST_F(SegmentFileTest, AWriterIsSeen) {
  {
    const UniqueFd writer = Open(O_WRONLY);
    EXPECT_FALSE(NobodyWrites());
    EXPECT_FALSE(LeaseAlone());
  }
  EXPECT_TRUE(NobodyWrites());
}

TEST_F(SegmentFileTest, AWritableMappingIsSeenAfterItsDescriptorIsClosed) {
  ASSERT_TRUE(dir_->SetSize(kNumber, 4096));
  {
    Result<Mapping> mapping =
        Mapping::Map(Open(O_RDWR).get(), 4096, PROT_READ | PROT_WRITE);
    ASSERT_TRUE(mapping);
    EXPECT_FALSE(NobodyWrites());
  }
  EXPECT_TRUE(NobodyWrites());
}

TEST_F(SegmentFileTest, AReaderIsSeenByLeaseAloneOnly) {
  ASSERT_TRUE(dir_->SetSize(kNumber, 4096));
  Result<Mapping> mapping = Mapping::Map(Open(O_RDONLY).get(), 4096, PROT_READ);
  ASSERT_TRUE(mapping);
  EXPECT_TRUE(NobodyWrites());
  EXPECT_FALSE(LeaseAlone());
  *mapping = Mapping();
  EXPECT_TRUE(LeaseAlone());
}

TEST_F(SegmentFileTest, AskingTwiceGivesTheSameAnswer) {
  EXPECT_TRUE(LeaseAlone());
  EXPECT_TRUE(LeaseAlone());
  EXPECT_TRUE(NobodyWrites());
  EXPECT_EQ(::fcntl(file_->fd(), F_GETLEASE), F_WRLCK);
  file_->Unlease();
  file_->Unlease();
  EXPECT_EQ(::fcntl(file_->fd(), F_GETLEASE), F_UNLCK);
  EXPECT_TRUE(NobodyWrites());
}

// With the signal that leases have by default, this test would be killed.
TEST_F(SegmentFileTest, AnOpenerDuringTheLeaseWaitsAndGetsTheUnlinkedFile) {
  const std::string text = "still here";
  ASSERT_TRUE(dir_->WriteAt(kNumber, 0, std::as_bytes(std::span(text))));
  ASSERT_TRUE(LeaseAlone());
  std::atomic<bool> opened = false;
  std::string seen(text.size(), '\0');
  std::thread opener([&] {
    const UniqueFd reader = Open(O_RDONLY);
    opened = true;
    EXPECT_EQ(::pread(reader.get(), seen.data(), seen.size(), 0),
              static_cast<ssize_t>(seen.size()));
  });
  EXPECT_TRUE(Eventually(
      [this] { return ::fcntl(file_->fd(), F_GETLEASE) != F_WRLCK; }));
  EXPECT_FALSE(opened);
  EXPECT_TRUE(dir_->Unlink(kNumber));
  file_.reset();
  opener.join();
  EXPECT_EQ(seen, text);
}

TEST_F(SegmentFileTest, BreaksOfLeasesSignalNobodyUnderLoad) {
  std::atomic<bool> stop = false;
  std::thread opener([&] {
    while (!stop) Open(O_RDWR);
  });
  std::thread second([&] {
    while (!stop) EXPECT_TRUE(file_->NobodyWrites());
  });
  for (int round = 0; round < 2000; ++round) {
    EXPECT_TRUE(file_->LeaseAlone());
    file_->Unlease();
  }
  stop = true;
  opener.join();
  second.join();
}

TEST_F(SegmentFileTest, ADescriptorInAnotherProcessIsSeen) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const UniqueFd ready_reader(ready[0]);
  UniqueFd ready_writer(ready[1]);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const int fd = ::open(dir_->PathOf(kNumber).c_str(), O_RDONLY);
    const char said = fd >= 0 ? 'y' : 'n';
    if (::write(ready_writer.get(), &said, 1) != 1) ::_exit(1);
    ::pause();
  }
  char said = 'n';
  EXPECT_EQ(::read(ready_reader.get(), &said, 1), 1);
  EXPECT_EQ(said, 'y');
  EXPECT_FALSE(LeaseAlone());
  ::kill(child, SIGKILL);
  EXPECT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(LeaseAlone());
}

TEST_F(SegmentFileTest, ReadingStopsAtTheEnd) {
  const std::string text = "0123456789";
  ASSERT_TRUE(dir_->WriteAt(kNumber, 0, std::as_bytes(std::span(text))));
  std::string seen(100, '\0');
  Result<size_t> got =
      file_->ReadAt(4, std::as_writable_bytes(std::span(seen)));
  ASSERT_TRUE(got);
  EXPECT_EQ(seen.substr(0, *got), "456789");
  got = file_->ReadAt(1000, std::as_writable_bytes(std::span(seen)));
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, 0u);
  got = file_->ReadAt(UINT64_MAX - 3, std::as_writable_bytes(std::span(seen)));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kInvalidArgument);
}

TEST_F(SegmentFileTest, StatTellsSizeMemoryAndTime) {
  ASSERT_TRUE(dir_->SetSize(kNumber, 1 << 20));
  ASSERT_TRUE(dir_->Reserve(kNumber, 0, 4096));
  ASSERT_TRUE(dir_->SetModified(kNumber, 1'500'000'000'123'456'789));
  Result<SegmentFile::Extent> extent = file_->Stat();
  ASSERT_TRUE(extent);
  EXPECT_EQ(extent->size_bytes, 1u << 20);
  EXPECT_EQ(extent->allocated_bytes, 4096u);
  EXPECT_EQ(extent->modified_ns, 1'500'000'000'123'456'789);
}

}  // namespace
}  // namespace vitrine::store
