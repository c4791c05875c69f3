#include "store/index/index_buckets.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <map>
#include <random>

#include "schema/base/mapping.h"
#include "schema/base/unique_fd.h"

namespace vitrine::store {
namespace {

// Of the FilterBits of what lies beyond bucket `first`.
uint32_t UnionBeyond(const IndexBucket* buckets, uint32_t first) {
  uint32_t bits = 0;
  for (uint32_t at = buckets[first].next; at != 0; at = buckets[at].next) {
    for (size_t i = 0; i < kEntriesPerBucket; ++i) {
      const IndexEntry& entry = buckets[at].entries[i];
      if (buckets[at].words[i] == 0) continue;
      bits |= FilterBitsOf({entry.key_high, entry.key_low});
    }
  }
  return bits;
}

class IndexBucketsTest : public testing::Test {
 protected:
  IndexKey KeyOf(uint64_t number) const {
    return MakeIndexKey(std::to_string(number), buckets_.seed());
  }
  void Insert(uint64_t number, uint32_t slot) {
    Status ok = buckets_.Insert({.key = KeyOf(number),
                                 .word = MakeSlotWord(1, SlotState::kSealed),
                                 .segment = number,
                                 .offset = number + 1,
                                 .size_bytes = number + 2,
                                 .number = number + 3,
                                 .slot = slot,
                                 .flags = kSlotReadableByAll});
    EXPECT_TRUE(ok) << ok.error().ToString();
  }
  void ExpectAt(uint64_t number, uint32_t slot) const {
    ASSERT_EQ(buckets_.Find(KeyOf(number)), slot);
    ASSERT_TRUE(buckets_.Contains(slot));
    const IndexBuckets::Place place = buckets_.PlaceOf(slot);
    EXPECT_EQ(place.slot(), slot);
    EXPECT_EQ(place.key(), KeyOf(number));
    EXPECT_EQ(place.word(), MakeSlotWord(1, SlotState::kSealed));
    EXPECT_EQ(place.entry().segment, number);
    EXPECT_EQ(place.entry().offset, number + 1);
    EXPECT_EQ(place.entry().size_bytes, number + 2);
    EXPECT_EQ(place.entry().number, number + 3);
    EXPECT_EQ(FlagsOf(place.slot_and_flags()), kSlotReadableByAll);
  }

  // Invariant (5) of the index, in every bucket that begins a chain.  Returns
  // how many chains have more than one bucket.
  uint32_t ExpectTrueFilters() const {
    struct stat info {};
    EXPECT_EQ(::fstat(fd_.get(), &info), 0);
    const auto file =
        Mapping::Map(fd_.get(), static_cast<size_t>(info.st_size), PROT_READ);
    const auto& header = *reinterpret_cast<const IndexHeader*>(file->data());
    const auto* const buckets = reinterpret_cast<const IndexBucket*>(
        file->data() + header.buckets_offset);
    uint32_t long_chains = 0;
    for (uint32_t i = 0; i < buckets_.bucket_count(); ++i) {
      if (buckets[i].next != 0) ++long_chains;
      EXPECT_EQ(buckets[i].filter, UnionBeyond(buckets, i)) << i;
    }
    return long_chains;
  }

  UniqueFd fd_{::memfd_create("index", MFD_CLOEXEC)};
  IndexBuckets buckets_ = *IndexBuckets::Create(fd_.get());
};

TEST_F(IndexBucketsTest, AFreshTableIsEmpty) {
  EXPECT_EQ(buckets_.Find(KeyOf(1)), kNoSlot);
  EXPECT_FALSE(buckets_.Contains(0));
  EXPECT_FALSE(buckets_.Contains(kNoSlot));
}

TEST_F(IndexBucketsTest, AChangeOfTheChainStepsItsVersion) {
  IndexBucket& first = buckets_.FirstOf(KeyOf(1));
  Insert(1, 0);
  EXPECT_EQ(first.version, 2u);
  buckets_.Erase(0);
  EXPECT_EQ(first.version, 4u);
  EXPECT_EQ(buckets_.Find(KeyOf(1)), kNoSlot);
}

TEST_F(IndexBucketsTest, ASlotBeyondTheLimitIsOutOfMemory) {
  const Status full = buckets_.Insert({.key = KeyOf(1), .slot = 1u << 24});
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, Code::kOutOfMemory);
}

// Beside a map that is known to be right.  Invariant (4) of the index: what is
// left of a chain fills it from its beginning, or it would not be found.  A
// filter that lacks a bit would hide an object; one that has a bit of an object
// that went would lead readers astray.
TEST_F(IndexBucketsTest, ItFindsWhatAMapFinds) {
  std::mt19937 random(7);
  std::map<uint64_t, uint32_t> expected;
  std::vector<uint32_t> free;
  for (uint32_t slot = 0; slot < 60'000; ++slot) free.push_back(slot);
  for (int step = 0; step < 150'000; ++step) {
    if (step % 10'000 == 0) (void)ExpectTrueFilters();
    const uint64_t number = random() % 60'000;
    const auto found = expected.find(number);
    if (found == expected.end()) {
      expected[number] = free.back();
      Insert(number, free.back());
      free.pop_back();
    } else if (random() % 3 == 0) {
      buckets_.Erase(found->second);
      free.push_back(found->second);
      expected.erase(found);
    }
  }
  EXPECT_GT(buckets_.bucket_count(), 10'000u) << "it has grown";
  EXPECT_GT(ExpectTrueFilters(), 1'000u);
  for (uint64_t number = 0; number < 60'000; ++number) {
    const auto found = expected.find(number);
    if (found == expected.end()) {
      EXPECT_EQ(buckets_.Find(KeyOf(number)), kNoSlot);
    } else {
      ExpectAt(number, found->second);
    }
  }
  for (const auto& [number, slot] : expected) buckets_.Erase(slot);
  EXPECT_EQ(ExpectTrueFilters(), 0u);
}

}  // namespace
}  // namespace vitrine::store
