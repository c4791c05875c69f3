// The client's lookups in a table that the store wrote, at size.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <vector>

#include "client/index/index_reader.h"
#include "schema/base/mapping.h"
#include "schema/base/unique_fd.h"
#include "store/index/index_buckets.h"

namespace vitrine {
namespace {

using Outcome = IndexReader::Outcome;

class AbsentLookupTest : public testing::Test {
 protected:
  static std::string IdOf(uint64_t number) { return std::to_string(number); }

  // Objects 0 to `count` - 1 are in the table afterwards.
  void GrowTo(uint32_t count) {
    for (; count_ < count; ++count_) {
      Status ok =
          buckets_.Insert({.key = MakeIndexKey(IdOf(count_), buckets_.seed()),
                           .word = MakeSlotWord(1, SlotState::kSealed),
                           .slot = count_});
      ASSERT_TRUE(ok) << ok.error().ToString();
    }
  }
  Outcome Find(uint64_t number) const {
    IndexReader::Entry entry;
    return reader_.Find(IdOf(number), &entry);
  }

  // Of this many ids of which there is no object, how many make a reader look
  // into a second bucket?  Those that do meet a number there that is out of the
  // table.
  uint64_t CountSecondLooks(uint64_t ids) {
    struct stat info {};
    EXPECT_EQ(::fstat(fd_.get(), &info), 0);
    auto file = *Mapping::Map(fd_.get(), static_cast<size_t>(info.st_size),
                              PROT_READ | PROT_WRITE);
    auto* const buckets =
        reinterpret_cast<IndexBucket*>(file.data() + BucketsOffset(file));
    std::vector<uint32_t> next(buckets_.bucket_count());
    for (size_t i = 0; i < next.size(); ++i) {
      next[i] = buckets[i].next;
      if (next[i] != 0) buckets[i].next = UINT32_MAX;
    }
    uint64_t second_looks = 0;
    for (uint64_t i = 0; i < ids; ++i) {
      const Outcome outcome = Find(kNeverPut + i);
      EXPECT_TRUE(outcome == Outcome::kAbsent || outcome == Outcome::kCorrupt);
      if (outcome == Outcome::kCorrupt) ++second_looks;
    }
    for (size_t i = 0; i < next.size(); ++i) buckets[i].next = next[i];
    return second_looks;
  }

  static constexpr uint64_t kNeverPut = uint64_t{1} << 40;

 private:
  static uint64_t BucketsOffset(const Mapping& file) {
    return reinterpret_cast<const IndexHeader*>(file.data())->buckets_offset;
  }

  uint32_t count_ = 0;
  UniqueFd fd_{::memfd_create("index", MFD_CLOEXEC)};
  store::IndexBuckets buckets_ = *store::IndexBuckets::Create(fd_.get());
  IndexReader reader_ = *IndexReader::Open(fd_.get());
};

// While the table grows from one power of two to the next, the buckets that are
// not split yet are twice as full as the others.  Without the filter one lookup
// in four looks further there.
TEST_F(AbsentLookupTest, OneInAHundredLooksIntoASecondBucket) {
  constexpr uint64_t kIds = 200'000;
  for (const uint32_t count : {400'000u, 600'000u, 700'000u, 1'000'000u}) {
    GrowTo(count);
    EXPECT_LT(CountSecondLooks(kIds), kIds / 100) << count;
  }
  for (uint64_t number = 0; number < 1'000'000; ++number) {
    ASSERT_EQ(Find(number), Outcome::kFound) << number;
  }
}

}  // namespace
}  // namespace vitrine
