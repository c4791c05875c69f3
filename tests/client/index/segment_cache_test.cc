#include "client/index/segment_cache.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <memory>

#include "schema/base/unique_fd.h"

namespace vitrine {
namespace {

class SegmentCacheTest : public testing::Test {
 protected:
  SegmentCacheTest() {
    for (size_t i = 0; i < kPageStripes; ++i) {
      stripes_.push_back(std::make_unique<SessionStripe>(&owners_[i], nullptr));
    }
    EXPECT_EQ(::ftruncate(file_.get(), 4096), 0);
  }

  Result<Mapping> Map() {
    ++maps_;
    return Mapping::Map(file_.get(), 4096, PROT_READ);
  }
  LocalSegment* Acquire(uint64_t number, size_t stripe = 0) {
    auto segment = cache_.Acquire(number, stripe, [this] { return Map(); });
    EXPECT_TRUE(segment);
    return *segment;
  }
  void Release(LocalSegment* segment) { --segment->references; }

  ClientStripes owners_;
  SessionStripes stripes_;
  UniqueFd file_{::memfd_create("segment", MFD_CLOEXEC)};
  std::atomic<uint32_t> kept_{0};
  SegmentCache cache_{&stripes_, &kept_};
  int maps_ = 0;
};

TEST_F(SegmentCacheTest, AFailedMapLeavesNothing) {
  auto segment = cache_.Acquire(1, 0, [] {
    return Result<Mapping>(Error{Code::kIoError, "no"});
  });
  EXPECT_EQ(segment.error().code, Code::kIoError);
  EXPECT_EQ(cache_.size(), 0u);
}

// Invariant (2) of SessionStripe.
TEST_F(SegmentCacheTest, WhatIsInHandIsNotDropped) {
  LocalSegment* const first = Acquire(1);
  LocalSegment* const second = Acquire(2);
  Release(second);
  const std::array<uint64_t, 3> both = {1, 2, 99};
  cache_.Drop(both);
  EXPECT_EQ(cache_.size(), 1u);
  EXPECT_EQ(kept_, 1u);
  EXPECT_EQ(*first->data, std::byte{0});
  Release(first);
  cache_.Drop(both);
  EXPECT_EQ(cache_.size(), 0u);
  EXPECT_EQ(kept_, 0u);
}

TEST_F(SegmentCacheTest, WhatIsInHandIsRememberedAsRecalled) {
  LocalSegment* const here = Acquire(1, 0);
  LocalSegment* const there = Acquire(1, 5);
  EXPECT_FALSE(here->recalled);
  const std::array<uint64_t, 1> number = {1};
  cache_.Drop(number);
  EXPECT_TRUE(here->recalled);
  EXPECT_TRUE(there->recalled);
}

TEST_F(SegmentCacheTest, WhatAnotherStripeHasInHandIsNotDropped) {
  Release(Acquire(1, 0));
  LocalSegment* const other = Acquire(1, 5);
  EXPECT_EQ(maps_, 1);
  cache_.DropAll();
  EXPECT_EQ(cache_.size(), 1u);
  Release(other);
  cache_.DropAll();
  EXPECT_EQ(cache_.size(), 0u);
}

TEST_F(SegmentCacheTest, AKeptMappingIsFoundAgain) {
  Release(Acquire(1));
  Release(Acquire(1));
  EXPECT_EQ(maps_, 1);
}

TEST_F(SegmentCacheTest, KeepsAboutAsManyAsItSays) {
  for (uint64_t number = 0; number < 5000; ++number) Release(Acquire(number));
  EXPECT_LE(cache_.size(), SegmentCache::kMaxKeptMappings + 64);
  EXPECT_GE(cache_.size(), SegmentCache::kMaxKeptMappings / 2);
}

TEST_F(SegmentCacheTest, WhatIsUsedStaysLonger) {
  for (uint64_t number = 1; number < 4000; ++number) {
    Release(Acquire(0));
    Release(Acquire(number));
  }
  EXPECT_EQ(maps_, 4000);
}

}  // namespace
}  // namespace vitrine
