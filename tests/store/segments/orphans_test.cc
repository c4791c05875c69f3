#include "store/segments/orphans.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "schema/base/mapping.h"
#include "schema/base/unique_fd.h"
#include "store/segments/segment_dir.h"
#include "tests/support/eventually.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::store {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kNumber = 7;
constexpr Audience kAll{.mode = 0444};

class OrphansTest : public testing::Test {
 protected:
  OrphansTest() {
    const std::string path = scratch_.path();
    std::filesystem::create_directory(path + "/segments");
    std::filesystem::create_directory(path + "/retired");
    dir_.emplace(*SegmentDir::Open(path + "/segments", path + "/retired"));
    pool_.emplace(&*dir_, &budget_, 16 * kMiB);
    orphans_.emplace(&budget_, &*pool_, &accounts_);
  }

  // A segment of a MiB, charged.
  void Make(uint64_t number, uint64_t charged_bytes = kMiB) {
    EXPECT_TRUE(dir_->Create(number));
    EXPECT_TRUE(dir_->SetSize(number, kMiB));
    EXPECT_TRUE(dir_->Reserve(number, 0, kMiB));
    budget_.ForceCharge(charged_bytes);
  }
  UniqueFd Open(uint64_t number, int flags) {
    auto fd = dir_->OpenFresh(number, flags);
    EXPECT_TRUE(fd) << fd.error().ToString();
    return *std::move(fd);
  }
  DroppedSegment Dropped(uint64_t number, uint64_t charged_bytes = kMiB) {
    auto file = dir_->OpenShared(number);
    EXPECT_TRUE(file) << file.error().ToString();
    return {.number = number,
            .file = *std::move(file),
            .charged_bytes = charged_bytes};
  }
  // Its name goes.
  DroppedSegment Unlink(uint64_t number, uint64_t charged_bytes = kMiB) {
    DroppedSegment dropped = Dropped(number, charged_bytes);
    EXPECT_TRUE(dir_->Unlink(number));
    return dropped;
  }
  DroppedSegment Retire(uint64_t number, uint64_t charged_bytes = kMiB) {
    DroppedSegment dropped = Dropped(number, charged_bytes);
    EXPECT_TRUE(dir_->Retire(number, number));
    dropped.retired_from = kAll;
    dropped.retired_number = number;
    return dropped;
  }

  void ExpectOrphan(uint64_t number, uint64_t bytes) {
    EXPECT_EQ(orphans_->Count().count, 1u);
    EXPECT_EQ(orphans_->Count().bytes, bytes);
    EXPECT_EQ(orphans_->Segments(), std::vector{number});
    EXPECT_EQ(used_bytes(), bytes);
  }
  void ExpectNone() {
    EXPECT_EQ(orphans_->Count().count, 0u);
    EXPECT_EQ(orphans_->Count().bytes, 0u);
    EXPECT_TRUE(orphans_->Segments().empty());
    EXPECT_EQ(used_bytes(), 0u);
  }
  uint64_t used_bytes() const { return budget_.Get().used_bytes; }
  uint64_t parked_bytes() const { return budget_.Get().parked_bytes; }

  ScratchDir scratch_;
  std::optional<SegmentDir> dir_;
  MemoryBudget budget_{64 * kMiB, 0};
  std::optional<SegmentPool> pool_;
  Accounts accounts_{0};
  std::optional<Orphans> orphans_;
};

TEST_F(OrphansTest, WhatNobodyHasIsGivenBackAtOnce) {
  Make(kNumber);
  orphans_->Add(Unlink(kNumber));
  ExpectNone();
}

// A user may have more segments mapped than the store may have descriptors.
TEST_F(OrphansTest, RetiredOnesTakeNoDescriptors) {
  constexpr uint64_t kCount = 40;
  std::vector<Mapping> mappings;
  const size_t before = CountDescriptors();
  for (uint64_t number = 1; number <= kCount; ++number) {
    Make(number);
    const UniqueFd fd = Open(number, O_RDWR);
    mappings.push_back(*Mapping::Map(fd.get(), kMiB, PROT_READ));
    DroppedSegment dropped = Retire(number);
    if (number % 2 == 0) dropped.retired_from.reset();  // Not to be recycled.
    orphans_->Add(std::move(dropped));
  }
  EXPECT_EQ(CountDescriptors(), before);
  orphans_->Poll();
  EXPECT_EQ(orphans_->Count().count, kCount);
  EXPECT_EQ(orphans_->Count().bytes, kCount * kMiB);
  EXPECT_EQ(CountDescriptors(), before);
  mappings.clear();
  orphans_->Poll();
  ExpectNone();
  // What may be recycled is in the pool, as far as it goes; nothing else stays.
  const auto left = std::distance(
      std::filesystem::directory_iterator(scratch_.path() + "/retired"), {});
  EXPECT_EQ(static_cast<uint64_t>(left) * kMiB, parked_bytes());
}

TEST_F(OrphansTest, AFileThatGrowsAfterItWasRetiredIsCharged) {
  Make(kNumber);
  const UniqueFd fd = Open(kNumber, O_RDWR);
  orphans_->Add(Retire(kNumber));
  ASSERT_EQ(::ftruncate(fd.get(), 2 * kMiB), 0);
  ASSERT_EQ(::fallocate(fd.get(), 0, 0, 2 * kMiB), 0);
  orphans_->Poll();
  ExpectOrphan(kNumber, 2 * kMiB);
}

TEST_F(OrphansTest, WhatCouldNotBeOpenedIsGivenBackAtOnce) {
  budget_.ForceCharge(kMiB);
  orphans_->Add({.number = kNumber, .charged_bytes = kMiB});
  ExpectNone();
}

TEST_F(OrphansTest, NothingAtAllChangesNothing) {
  orphans_->Add({});
  orphans_->Poll();
  ExpectNone();
}

// Invariant (4) of Store.
TEST_F(OrphansTest, WhatSomebodyHasOpenStaysChargedUntilHeClosesIt) {
  Make(kNumber);
  UniqueFd reader = Open(kNumber, O_RDONLY);
  orphans_->Add(Unlink(kNumber));
  ExpectOrphan(kNumber, kMiB);
  orphans_->Poll();
  ExpectOrphan(kNumber, kMiB);
  reader = UniqueFd();
  orphans_->Poll();
  ExpectNone();
}

// Invariant (4) of Store.
TEST_F(OrphansTest, WhatSomebodyHasMappedStaysChargedUntilHeUnmapsIt) {
  Make(kNumber);
  std::optional<Mapping> mapping =
      *Mapping::Map(Open(kNumber, O_RDONLY).get(), kMiB, PROT_READ);
  orphans_->Add(Unlink(kNumber));
  orphans_->Poll();
  ExpectOrphan(kNumber, kMiB);
  mapping.reset();
  orphans_->Poll();
  ExpectNone();
}

TEST_F(OrphansTest, WhatTheStoreItselfLooksAtStays) {
  Make(kNumber);
  DroppedSegment dropped = Unlink(kNumber);
  std::shared_ptr<SegmentFile> shared = dropped.file;
  orphans_->Add(std::move(dropped));
  ExpectOrphan(kNumber, kMiB);
  shared.reset();
  orphans_->Poll();
  ExpectNone();
}

TEST_F(OrphansTest, OneThatStaysKeepsNoOther) {
  std::vector<UniqueFd> readers;
  for (uint64_t number = 1; number <= 3; ++number) {
    Make(number);
    readers.push_back(Open(number, O_RDONLY));
    orphans_->Add(Unlink(number));
  }
  EXPECT_EQ(orphans_->Count().count, 3u);
  readers.erase(readers.begin() + 1);
  orphans_->Poll();
  EXPECT_EQ(orphans_->Segments(), (std::vector<uint64_t>{1, 3}));
  EXPECT_EQ(used_bytes(), 2 * kMiB);
}

TEST_F(OrphansTest, WhoeverGoesOnWritingIsCharged) {
  Make(kNumber);
  UniqueFd writer = Open(kNumber, O_RDWR);
  orphans_->Add(Unlink(kNumber));
  const std::string more(kMiB, 'x');
  ASSERT_EQ(::pwrite(writer.get(), more.data(), kMiB, kMiB),
            static_cast<ssize_t>(kMiB));
  orphans_->Poll();
  ExpectOrphan(kNumber, 2 * kMiB);
  writer = UniqueFd();
  orphans_->Poll();
  ExpectNone();
}

// An eviction dropped it while somebody waited for its lease: he has it next.
TEST_F(OrphansTest, WhoWaitedForTheLeaseOfAnEvictionIsSeen) {
  Make(kNumber);
  DroppedSegment dropped = Dropped(kNumber);
  ASSERT_TRUE(*dropped.file->LeaseAlone());
  UniqueFd reader;
  std::thread opener([&] { reader = Open(kNumber, O_RDONLY); });
  const int fd = dropped.file->fd();
  EXPECT_TRUE(Eventually([fd] { return ::fcntl(fd, F_GETLEASE) != F_WRLCK; }));
  ASSERT_TRUE(dir_->Unlink(kNumber));
  orphans_->Add(std::move(dropped));
  opener.join();
  ASSERT_TRUE(reader.valid());
  ExpectOrphan(kNumber, kMiB);
  reader = UniqueFd();
  orphans_->Poll();
  ExpectNone();
}

TEST_F(OrphansTest, WhatIsRetiredGoesToThePoolOnceNobodyHasIt) {
  Make(kNumber);
  UniqueFd reader = Open(kNumber, O_RDONLY);
  orphans_->Add(Retire(kNumber));
  ExpectOrphan(kNumber, kMiB);
  EXPECT_EQ(pool_->Count().segments, 0u);
  reader = UniqueFd();
  orphans_->Poll();
  ExpectNone();
  EXPECT_EQ(parked_bytes(), kMiB);
  const auto taken = pool_->Take(kAll, kMiB);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->number, kNumber);
}

TEST_F(OrphansTest, ThePoolIsChargedForWhatIsThere) {
  Make(1, kMiB / 2);
  orphans_->Add(Retire(1, kMiB / 2));
  EXPECT_EQ(parked_bytes(), kMiB);
  Make(2, 3 * kMiB);
  orphans_->Add(Retire(2, 3 * kMiB));
  EXPECT_EQ(parked_bytes(), 2 * kMiB);
  EXPECT_EQ(used_bytes(), 0u);
}

TEST_F(OrphansTest, AreAllThereWhileTheyAreLookedAt) {
  std::vector<UniqueFd> readers;
  for (uint64_t number = 1; number <= 20; ++number) {
    Make(number);
    readers.push_back(Open(number, O_RDONLY));
    orphans_->Add(Unlink(number));
  }
  std::atomic<bool> stop = false;
  std::thread poller([&] {
    while (!stop) orphans_->Poll();
  });
  int wrong = 0;
  for (int i = 0; i < 10'000; ++i) {
    const Orphans::Numbers numbers = orphans_->Count();
    if (numbers.count != 20 || numbers.bytes != 20 * kMiB) ++wrong;
  }
  stop = true;
  poller.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace vitrine::store
