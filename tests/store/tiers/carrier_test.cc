#include "store/tiers/carrier.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "tests/store/tiers/fake_tier.h"
#include "tests/store/tiers/loads.h"
#include "tests/support/eventually.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::store {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

// Notes which objects came together.
class GroupTier : public FakeTier {
 public:
  Status Put(std::span<const Load> loads) override {
    {
      MutexLock lock(mutex_);
      groups_.push_back(loads.size());
    }
    return FakeTier::Put(loads);
  }
  std::multiset<size_t> groups() const {
    MutexLock lock(mutex_);
    return {groups_.begin(), groups_.end()};
  }

 private:
  mutable Mutex mutex_;
  std::vector<size_t> groups_ GUARDED_BY(mutex_);
};

class CarrierTest : public ::testing::Test {
 protected:
  // A victim with one object of its own, which has `size` bytes.
  Eviction::Victim& Add(uint64_t number, uint64_t size) {
    const std::string path = scratch_.path() + "/" + std::to_string(number);
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(size)), 0);
    EXPECT_EQ(::pwrite(fd.get(), &number, std::min<size_t>(size, 8), 0),
              static_cast<ssize_t>(std::min<size_t>(size, 8)));
    Eviction::Victim victim;
    victim.segment = number;
    victim.bytes = size;
    victim.contents.push_back({InfoOf(number, size)});
    victim.file = std::make_shared<SegmentFile>(std::move(fd));
    departure_.victims.push_back(std::move(victim));
    return departure_.victims.back();
  }
  Status Carry() { return Carrier(&tier_).Carry(&departure_); }
  std::set<uint64_t> carried() const {
    std::set<uint64_t> numbers;
    for (const Eviction::Victim& victim : departure_.victims) {
      if (victim.carried) numbers.insert(victim.segment);
    }
    return numbers;
  }

  ScratchDir scratch_;
  GroupTier tier_;
  Eviction::Departure departure_{.fate = Fate::kElsewhere};
};

TEST_F(CarrierTest, NothingIsEasy) {
  EXPECT_TRUE(Carry());
  EXPECT_EQ(tier_.puts(), 0);
}

TEST_F(CarrierTest, SmallOnesGoTogetherAndLargeOnesAlone) {
  for (const uint64_t number : {1U, 2U, 3U}) Add(number, kMiB);
  Add(4, 8 * kMiB);
  Add(5, 70 * kMiB);
  Add(6, 100);
  ASSERT_TRUE(Carry());
  EXPECT_EQ(tier_.groups(), (std::multiset<size_t>{1, 1, 4}));
  EXPECT_EQ(carried(), (std::set<uint64_t>{1, 2, 3, 4, 5, 6}));
  std::string bytes(kMiB, '?');
  ASSERT_TRUE(
      tier_.Get(InfoOf(2, kMiB), std::as_writable_bytes(std::span(bytes))));
  EXPECT_EQ(bytes[0], 2);
}

TEST_F(CarrierTest, AGroupHasAnEnd) {
  for (uint64_t number = 1; number <= 20; ++number) Add(number, 7 * kMiB);
  ASSERT_TRUE(Carry());
  EXPECT_EQ(tier_.groups(), (std::multiset<size_t>{2, 9, 9}));
}

TEST_F(CarrierTest, WhatTheTierHasIsNotCarried) {
  Add(1, 1000);
  ASSERT_TRUE(Carry());
  Add(2, 1000);
  ASSERT_TRUE(Carry());
  EXPECT_EQ(tier_.puts(), 2);
  EXPECT_EQ(carried(), (std::set<uint64_t>{1, 2}));
}

TEST_F(CarrierTest, AfterAFailureNoMoreIsTried) {
  for (uint64_t number = 1; number <= 40; ++number) Add(number, 8 * kMiB);
  tier_.OnPut([](const ObjectInfo& info) -> Status {
    if (info.number <= 2) return {};
    return Error{Code::kOutOfMemory, "full"};
  });
  const Status done = Carry();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kOutOfMemory);
  EXPECT_EQ(carried(), (std::set<uint64_t>{1, 2}));
  EXPECT_EQ(tier_.kept(), 2u);
  EXPECT_LE(tier_.groups().size(), 5u);  // Three threads had one each.
}

TEST_F(CarrierTest, NoneOfAGroupThatFailsIsCarried) {
  for (const uint64_t number : {1U, 2U, 3U}) Add(number, 1000);
  tier_.OnPut([](const ObjectInfo& info) -> Status {
    if (info.number != 2) return {};
    return Error{Code::kIoError, "told to fail"};
  });
  EXPECT_FALSE(Carry());
  EXPECT_TRUE(carried().empty());
}

// Else one such object would keep all others in memory for ever.
TEST_F(CarrierTest, OneThatCannotBeReadKeepsNoOther) {
  Add(1, 1000);
  Add(2, 1000).contents[0].info.offset_bytes = 5000;
  Add(3, 1000).contents[0].info.size_bytes = UINT64_MAX;
  Add(4, 9 * kMiB);
  const Status done = Carry();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kCorruption);
  EXPECT_EQ(carried(), (std::set<uint64_t>{1, 4}));
}

TEST_F(CarrierTest, SeveralThreadsWork) {
  for (uint64_t number = 1; number <= 3; ++number) Add(number, 8 * kMiB);
  std::atomic<int> inside{0};
  tier_.OnPut([&](const ObjectInfo&) {
    ++inside;
    EXPECT_TRUE(Eventually([&] { return inside == 3; }));
    return Status();
  });
  EXPECT_TRUE(Carry());
}

// Keeps nothing, and looks at how much is on its way.
class NarrowTier : public FakeTier {
 public:
  Status Put(std::span<const Load> loads) override {
    Enter(loads[0].info.size_bytes);
    LetPass(std::chrono::milliseconds(5));
    MutexLock lock(mutex_);
    --puts_;
    bytes_ -= loads[0].info.size_bytes;
    return Status();
  }
  int most() const {
    MutexLock lock(mutex_);
    return most_;
  }

 private:
  void Enter(uint64_t bytes) {
    MutexLock lock(mutex_);
    ++puts_;
    bytes_ += bytes;
    most_ = std::max(most_, puts_);
    EXPECT_TRUE(puts_ == 1 || bytes_ <= 256 * kMiB) << bytes_;
  }

  mutable Mutex mutex_;
  int puts_ GUARDED_BY(mutex_) = 0;
  int most_ GUARDED_BY(mutex_) = 0;
  uint64_t bytes_ GUARDED_BY(mutex_) = 0;
};

TEST_F(CarrierTest, BytesInFlightAreBounded) {
  NarrowTier tier;
  for (uint64_t number = 1; number <= 6; ++number) Add(number, 100 * kMiB);
  Add(7, 300 * kMiB);
  Add(8, 100 * kMiB);
  EXPECT_TRUE(Carrier(&tier).Carry(&departure_));
  EXPECT_EQ(carried().size(), 8u);
  EXPECT_EQ(tier.most(), 2);
}

TEST_F(CarrierTest, ManyTripsOfOneCarrier) {
  Carrier carrier(&tier_);
  for (uint64_t trip = 0; trip < 50; ++trip) {
    departure_.victims.clear();
    for (uint64_t number = 1; number <= 4; ++number) {
      Add(10 * trip + number, number % 2 == 0 ? 8 * kMiB : 100);
    }
    ASSERT_TRUE(carrier.Carry(&departure_));
    EXPECT_EQ(carried().size(), 4u);
    for (uint64_t number = 1; number <= 4; ++number) {
      tier_.Forget(10 * trip + number);
    }
  }
}

}  // namespace
}  // namespace vitrine::store
