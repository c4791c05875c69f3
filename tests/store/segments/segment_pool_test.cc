#include "store/segments/segment_pool.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "schema/base/mapping.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::store {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kCapacity = 64 * kMiB;
constexpr Audience kAlice{.uid = 1000, .gid = 1000, .mode = 0644};

size_t CountFiles(const std::string& path) {
  const std::filesystem::directory_iterator files(path);
  return static_cast<size_t>(std::distance(begin(files), end(files)));
}

class SegmentPoolTest : public testing::Test {
 protected:
  SegmentPoolTest() {
    std::filesystem::create_directory(segments_path());
    std::filesystem::create_directory(retired_path());
    auto dir = SegmentDir::Open(segments_path(), retired_path());
    EXPECT_TRUE(dir) << dir.error().ToString();
    dir_.emplace(*std::move(dir));
    pool_.emplace(&*dir_, &budget_, 16 * kMiB);
    pool_->SetOnBusy(
        [this](std::shared_ptr<SegmentFile> file, const RetiredSegment& busy) {
          EXPECT_NE(file, nullptr);
          busy_.push_back(busy.number);
        });
    budget_.SetReclaim([this](uint64_t bytes) { pool_->Shrink(bytes); });
  }

  std::string segments_path() const { return scratch_.path() + "/segments"; }
  std::string retired_path() const { return scratch_.path() + "/retired"; }
  std::string RetiredPathOf(uint64_t number) const {
    return retired_path() + dir_->PathOf(number).substr(segments_path().size());
  }

  // A segment full of `byte`, charged and retired.
  RetiredSegment Retire(uint64_t number, uint64_t size_bytes, char byte = 'x') {
    EXPECT_TRUE(dir_->Create(number));
    EXPECT_TRUE(dir_->SetSize(number, size_bytes));
    EXPECT_TRUE(dir_->Reserve(number, 0, size_bytes));
    const std::string text(size_bytes, byte);
    EXPECT_TRUE(dir_->WriteAt(number, 0, std::as_bytes(std::span(text))));
    EXPECT_TRUE(budget_.TryCharge(size_bytes));
    EXPECT_TRUE(dir_->Retire(number, number));
    return {.number = number, .allocated_bytes = size_bytes};
  }
  void Put(uint64_t number, uint64_t size_bytes,
           const Audience& audience = kAlice) {
    pool_->Put(audience, Retire(number, size_bytes));
  }

  uint64_t used_bytes() const { return budget_.Get().used_bytes; }
  uint64_t parked_bytes() const { return budget_.Get().parked_bytes; }

  ScratchDir scratch_;
  std::optional<SegmentDir> dir_;
  MemoryBudget budget_{kCapacity, 0};
  std::optional<SegmentPool> pool_;
  std::vector<uint64_t> busy_;  // Their charge is still there.
};

TEST_F(SegmentPoolTest, AnEmptyPoolHasNothing) {
  EXPECT_FALSE(pool_->Take(kAlice, kMiB));
  EXPECT_EQ(pool_->Count().missed, 1u);
  pool_->Shrink(UINT64_MAX);
  pool_->DropOlder(SegmentPool::Clock::time_point::max());
}

TEST_F(SegmentPoolTest, WhatIsLargerThanThePoolIsGivenBack) {
  Put(1, 17 * kMiB);
  EXPECT_EQ(pool_->Count().segments, 0u);
  EXPECT_EQ(used_bytes() + parked_bytes(), 0u);
  EXPECT_EQ(CountFiles(retired_path()), 0u);
}

TEST_F(SegmentPoolTest, APoolOfSizeZeroKeepsNothing) {
  SegmentPool none(&*dir_, &budget_, 0);
  EXPECT_FALSE(none.enabled());
  none.Put(kAlice, Retire(1, kMiB));
  EXPECT_FALSE(none.Take(kAlice, kMiB));
  EXPECT_FALSE(none.Prepare(Audience::OfSlabs(kMiB), kMiB, 2));
  EXPECT_EQ(used_bytes() + parked_bytes(), 0u);
  EXPECT_EQ(CountFiles(retired_path()), 0u);
}

// Invariant (1) of SegmentPool.
TEST_F(SegmentPoolTest, OthersDoNotGetIt) {
  Put(1, kMiB);
  EXPECT_FALSE(pool_->Take({.uid = 1001, .gid = 1000, .mode = 0644}, kMiB));
  EXPECT_FALSE(pool_->Take({.uid = 1000, .gid = 1001, .mode = 0644}, kMiB));
  EXPECT_FALSE(pool_->Take({.uid = 1000, .gid = 1000, .mode = 0640}, kMiB));
  EXPECT_FALSE(pool_->Take(Audience::OfSlabs(kMiB), kMiB));
  EXPECT_TRUE(pool_->Take(kAlice, kMiB));
}

// A slab is mapped as large as it should be.
// Invariant (1) of SegmentPool.
TEST_F(SegmentPoolTest, ASlabOfAnotherSizeIsNoSlab) {
  Put(1, kMiB, Audience::OfSlabs(kMiB));
  EXPECT_FALSE(pool_->Take(Audience::OfSlabs(2 * kMiB), 2 * kMiB));
  EXPECT_FALSE(pool_->Take(Audience::OfSlabs(kMiB / 2), kMiB / 2));
  EXPECT_TRUE(pool_->Take(Audience::OfSlabs(kMiB), kMiB));
}

TEST_F(SegmentPoolTest, NobodyElseCanOpenARetiredSegment) {
  ASSERT_TRUE(dir_->Create(1));
  ASSERT_TRUE(dir_->MakeReadOnly(1, true));
  const UniqueFd path(::open(dir_->PathOf(1).c_str(), O_PATH | O_CLOEXEC));
  ASSERT_TRUE(dir_->Retire(1, 1));
  EXPECT_FALSE(std::filesystem::exists(dir_->PathOf(1)));
  struct stat info {};
  ASSERT_EQ(::fstat(path.get(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
}

// Invariant (2) of SegmentPool.
TEST_F(SegmentPoolTest, AWholeOneIsNoSmallerOne) {
  Put(1, 4 * kMiB);
  EXPECT_FALSE(pool_->TakeWhole(kAlice, 5 * kMiB));
  EXPECT_EQ(pool_->Count().segments, 1u);
  const auto whole = pool_->TakeWhole(kAlice, 3 * kMiB);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->size_bytes, 3 * kMiB);
}

TEST_F(SegmentPoolTest, WhatSomebodyHasOpenIsNotHandedOut) {
  Put(1, kMiB);
  {
    const UniqueFd reader(
        ::open(RetiredPathOf(1).c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(reader.valid());
    EXPECT_FALSE(pool_->Take(kAlice, kMiB));
  }
  EXPECT_EQ(pool_->Count().segments, 0u);
  EXPECT_EQ(busy_, std::vector<uint64_t>{1});
  EXPECT_EQ(parked_bytes(), 0u);
  EXPECT_EQ(used_bytes(), kMiB);
}

// Invariant (5) of SegmentPool.
TEST_F(SegmentPoolTest, WhatSomebodyHasOpenStaysChargedWhenItIsGivenBack) {
  Put(1, kMiB);
  Put(2, kMiB);
  const RetiredSegment large = Retire(3, 17 * kMiB);
  const UniqueFd shrunk(::open(RetiredPathOf(1).c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd unfit(::open(RetiredPathOf(3).c_str(), O_RDONLY | O_CLOEXEC));
  pool_->Put(kAlice, large);
  pool_->Shrink(UINT64_MAX);
  EXPECT_EQ(busy_, (std::vector<uint64_t>{3, 1}));
  EXPECT_EQ(parked_bytes(), 0u);
  EXPECT_EQ(used_bytes(), 18 * kMiB);
  EXPECT_EQ(CountFiles(retired_path()), 0u);
}

// Invariant (2) of SegmentPool.
TEST_F(SegmentPoolTest, WhatSomebodyHasMappedIsNotHandedOut) {
  Put(1, kMiB);
  Result<Mapping> mapping = Error{Code::kNotFound, ""};
  {
    const UniqueFd reader(
        ::open(RetiredPathOf(1).c_str(), O_RDONLY | O_CLOEXEC));
    mapping = Mapping::Map(reader.get(), kMiB, PROT_READ);
  }
  ASSERT_TRUE(mapping);
  EXPECT_FALSE(pool_->Take(kAlice, kMiB));
  EXPECT_EQ(mapping->data()[kMiB - 1], std::byte{'x'});
}

TEST_F(SegmentPoolTest, AFileThatIsGoneIsNotHandedOut) {
  Put(1, kMiB);
  ASSERT_TRUE(std::filesystem::remove(RetiredPathOf(1)));
  EXPECT_FALSE(pool_->Take(kAlice, kMiB));
  EXPECT_EQ(used_bytes() + parked_bytes(), 0u);
}

TEST_F(SegmentPoolTest, ItKeepsItsPagesAndGetsItsSize) {
  Put(1, 2 * kMiB);
  EXPECT_EQ(parked_bytes(), 2 * kMiB);
  EXPECT_EQ(used_bytes(), 0u);
  const auto taken = pool_->Take(kAlice, kMiB + 1);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->size_bytes, kMiB + 1);
  EXPECT_GE(taken->allocated_bytes, kMiB + 4096);
  EXPECT_EQ(used_bytes(), taken->allocated_bytes);
  EXPECT_EQ(parked_bytes(), 0u);
  ASSERT_TRUE(dir_->Reinstate(taken->number, 2));
  const auto fd = dir_->OpenFresh(2, O_RDONLY);
  ASSERT_TRUE(fd);
  struct stat info {};
  ASSERT_EQ(::fstat(fd->get(), &info), 0);
  EXPECT_EQ(info.st_size, static_cast<off_t>(kMiB + 1));
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  char last = 0;
  EXPECT_EQ(::pread(fd->get(), &last, 1, kMiB), 1);
  EXPECT_EQ(last, 'x');
}

TEST_F(SegmentPoolTest, NothingBeyondTheEndIsVisibleWhenItGrowsAgain) {
  Put(1, kMiB);
  const auto taken = pool_->Take(kAlice, kMiB - 100);
  ASSERT_TRUE(taken);
  ASSERT_TRUE(dir_->Reinstate(1, 2));
  ASSERT_TRUE(dir_->SetSize(2, kMiB));
  const auto fd = dir_->OpenFresh(2, O_RDONLY);
  char last = 1;
  ASSERT_EQ(::pread(fd->get(), &last, 1, kMiB - 1), 1);
  EXPECT_EQ(last, 0);
}

TEST_F(SegmentPoolTest, TheSmallestThatIsLargeEnoughIsTaken) {
  Put(1, 4 * kMiB);
  Put(2, 2 * kMiB);
  Put(3, kMiB);
  EXPECT_EQ(pool_->Take(kAlice, 2 * kMiB)->number, 2u);
  EXPECT_EQ(pool_->Take(kAlice, 2 * kMiB)->number, 1u);
  // Now the largest that is smaller; it is to be grown.
  const auto smaller = pool_->Take(kAlice, 2 * kMiB);
  ASSERT_TRUE(smaller);
  EXPECT_EQ(smaller->number, 3u);
  EXPECT_EQ(smaller->size_bytes, kMiB);
}

TEST_F(SegmentPoolTest, WhatHardlyFitsIsLeftAlone) {
  Put(1, 8 * kMiB);
  EXPECT_FALSE(pool_->Take(kAlice, kMiB));
  EXPECT_FALSE(pool_->Take(kAlice, 64 * kMiB));
  EXPECT_FALSE(pool_->Take(kAlice, 0));
  EXPECT_EQ(pool_->Count().segments, 1u);
}

TEST_F(SegmentPoolTest, OfEqualOnesTheYoungestIsTaken) {
  Put(1, kMiB);
  Put(2, kMiB);
  EXPECT_EQ(pool_->Take(kAlice, kMiB)->number, 2u);
}

TEST_F(SegmentPoolTest, TheOldestGoFirstWhenItIsFull) {
  for (uint64_t number = 1; number <= 5; ++number) Put(number, 4 * kMiB);
  EXPECT_EQ(pool_->Count().bytes, 16 * kMiB);
  EXPECT_EQ(parked_bytes(), 16 * kMiB);
  EXPECT_EQ(CountFiles(retired_path()), 4u);
  EXPECT_FALSE(std::filesystem::exists(RetiredPathOf(1)));
}

TEST_F(SegmentPoolTest, NoMoreIsGivenBackThanIsWanted) {
  Put(1, 8 * kMiB);
  Put(2, 4 * kMiB);
  Put(3, 2 * kMiB);
  Put(4, kMiB);
  pool_->Shrink(kMiB + 1);
  EXPECT_FALSE(std::filesystem::exists(RetiredPathOf(3)));
  EXPECT_EQ(parked_bytes(), 13 * kMiB);
  pool_->Shrink(9 * kMiB);
  EXPECT_FALSE(std::filesystem::exists(RetiredPathOf(1)));
  EXPECT_FALSE(std::filesystem::exists(RetiredPathOf(4)));
  EXPECT_EQ(parked_bytes(), 4 * kMiB);
  pool_->Shrink(5 * kMiB);
  EXPECT_EQ(parked_bytes(), 0u);
}

// Invariant (3) of SegmentPool.
TEST_F(SegmentPoolTest, WhoeverWantsMemoryGetsThatOfThePool) {
  Put(1, 8 * kMiB);
  EXPECT_TRUE(budget_.TryCharge(kCapacity - 8 * kMiB));
  EXPECT_EQ(parked_bytes(), 8 * kMiB);
  EXPECT_TRUE(budget_.TryCharge(1));
  EXPECT_EQ(parked_bytes(), 0u);
  EXPECT_EQ(CountFiles(retired_path()), 0u);
}

TEST_F(SegmentPoolTest, WhoeverTakesMemoryUnaskedTakesThatOfThePool) {
  Put(1, 8 * kMiB);
  budget_.ForceCharge(kCapacity);
  EXPECT_EQ(parked_bytes(), 0u);
  EXPECT_EQ(used_bytes(), kCapacity);
}

// Invariant (3) of SegmentPool.
TEST_F(SegmentPoolTest, NothingIsKeptWhileSomebodyWaits) {
  const RetiredSegment kept = Retire(1, kMiB);
  ASSERT_TRUE(budget_.TryCharge(kCapacity - kMiB));
  bool granted = false;
  budget_.Charge(kMiB, {},
                 [&](Status status) { granted = status.has_value(); });
  EXPECT_FALSE(granted);
  pool_->Put(kAlice, kept);
  EXPECT_TRUE(granted);
  EXPECT_EQ(parked_bytes(), 0u);
}

TEST_F(SegmentPoolTest, WhatIsNotWantedForLongIsGivenBack) {
  Put(1, kMiB);
  pool_->DropOlder(SegmentPool::Clock::now() - std::chrono::hours(1));
  EXPECT_EQ(pool_->Count().segments, 1u);
  pool_->DropOlder(SegmentPool::Clock::now() + std::chrono::hours(1));
  EXPECT_EQ(pool_->Count().segments, 0u);
  EXPECT_EQ(parked_bytes(), 0u);
  EXPECT_EQ(CountFiles(retired_path()), 0u);
}

TEST_F(SegmentPoolTest, PreparedSegmentsAreClearAndThere) {
  ASSERT_TRUE(pool_->Prepare(Audience::OfSlabs(kMiB), kMiB, 7));
  EXPECT_FALSE(pool_->Prepare(Audience::OfSlabs(kMiB), kMiB, 8));
  EXPECT_EQ(parked_bytes(), kMiB);
  const auto taken = pool_->Take(Audience::OfSlabs(kMiB), kMiB);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->allocated_bytes, kMiB);
  ASSERT_TRUE(dir_->Reinstate(taken->number, 9));
  const auto fd = dir_->OpenFresh(9, O_RDONLY);
  std::string text(kMiB, 'x');
  ASSERT_EQ(::pread(fd->get(), text.data(), text.size(), 0),
            static_cast<ssize_t>(kMiB));
  EXPECT_EQ(text, std::string(kMiB, '\0'));
}

TEST_F(SegmentPoolTest, NothingIsPreparedWhileMemoryIsShort) {
  ASSERT_TRUE(budget_.TryCharge(kCapacity));
  EXPECT_FALSE(pool_->Prepare(Audience::OfSlabs(kMiB), kMiB, 7));
  EXPECT_EQ(CountFiles(retired_path()), 0u);
}

TEST_F(SegmentPoolTest, WhatGrowsKeepsWholeHugePagesOnly) {
  dir_->UseHugePages();
  Put(1, 3 * kMiB);
  const auto grows = pool_->Take(kAlice, 4 * kMiB);
  ASSERT_TRUE(grows);
  EXPECT_EQ(grows->size_bytes, 2 * kMiB);
  EXPECT_EQ(grows->allocated_bytes, 2 * kMiB);
  EXPECT_EQ(used_bytes(), 2 * kMiB);
  // Neither one has a huge page.
  Put(2, kMiB);
  const auto small = pool_->Take(kAlice, kMiB + kMiB / 2);
  ASSERT_TRUE(small);
  EXPECT_EQ(small->size_bytes, kMiB);
}

// Invariant (4) of SegmentPool.
TEST_F(SegmentPoolTest, AStartFindsNothingRetired) {
  Put(1, kMiB);
  dir_.reset();
  ASSERT_TRUE(SegmentDir::Open(segments_path(), retired_path()));
  EXPECT_EQ(CountFiles(retired_path()), 0u);
}

}  // namespace
}  // namespace vitrine::store
