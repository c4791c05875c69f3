#include "client/index/index_reader.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/client/index/index_file.h"

namespace vitrine {
namespace {

using Outcome = IndexReader::Outcome;

class IndexReaderTest : public testing::Test {
 protected:
  IndexReader Open() {
    auto reader = IndexReader::Open(file_.fd());
    EXPECT_TRUE(reader) << reader.error().ToString();
    return std::move(*reader);
  }
  Code ErrorAfter(const std::function<void(IndexHeader&)>& change) {
    IndexFile file;
    change(file.header());
    auto reader = IndexReader::Open(file.fd());
    return reader ? Code{} : reader.error().code;
  }

  IndexFile file_;
  IndexReader::Entry entry_;
};

TEST_F(IndexReaderTest, AHeaderThatContradictsTheFileIsRefused) {
  const Code kCorrupt = Code::kCorruption;
  EXPECT_EQ(ErrorAfter([](auto& h) { h.magic = 1; }), kCorrupt);
  EXPECT_EQ(ErrorAfter([](auto& h) { h.bucket_limit = 0; }), kCorrupt);
  EXPECT_EQ(ErrorAfter([](auto& h) { h.bucket_limit = 1u << 31; }), kCorrupt);
  EXPECT_EQ(ErrorAfter([](auto& h) { ++h.bucket_limit; }), kCorrupt);
  EXPECT_EQ(ErrorAfter([](auto& h) { ++h.overflow_limit; }), kCorrupt);
  EXPECT_EQ(ErrorAfter([](auto& h) { h.overflow_limit = UINT32_MAX; }),
            kCorrupt);
  EXPECT_EQ(ErrorAfter([](auto& h) { h.buckets_offset += 64; }), kCorrupt);
  EXPECT_EQ(ErrorAfter([](auto& h) { h.buckets_offset -= 8; }), kCorrupt);
  EXPECT_EQ(ErrorAfter([](auto& h) { h.buckets_offset = ~uint64_t{63}; }),
            kCorrupt);
  EXPECT_EQ(ErrorAfter([](auto& h) { h.buckets_offset = 0; }), kCorrupt);
  EXPECT_EQ(ErrorAfter([](auto& h) { h.buckets_offset = 66; }), kCorrupt);
  EXPECT_EQ(ErrorAfter([](auto& h) { ++h.version; }), Code::kVersionMismatch);
}

TEST_F(IndexReaderTest, ATruncatedFileIsRefused) {
  ASSERT_EQ(::ftruncate(file_.fd(), IndexFile::kFileBytes - 1), 0);
  EXPECT_EQ(IndexReader::Open(file_.fd()).error().code, Code::kCorruption);
  ASSERT_EQ(::ftruncate(file_.fd(), 10), 0);
  EXPECT_EQ(IndexReader::Open(file_.fd()).error().code, Code::kCorruption);
}

TEST_F(IndexReaderTest, ADirectoryIsNoIndex) {
  const UniqueFd dir(::open("/", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(IndexReader::Open(dir.get()));
}

TEST_F(IndexReaderTest, AChainInALoopEnds) {
  const IndexReader reader = Open();
  file_.bucket_of("a").filter = UINT32_MAX;
  file_.bucket_of("a").next = IndexFile::kBuckets;
  file_.bucket(IndexFile::kBuckets).next = IndexFile::kBuckets;
  EXPECT_EQ(reader.Find("a", &entry_), Outcome::kCorrupt);
}

TEST_F(IndexReaderTest, AChainOutOfTheTableEnds) {
  const IndexReader reader = Open();
  file_.bucket_of("a").filter = UINT32_MAX;
  file_.bucket_of("a").next = IndexFile::kBuckets + IndexFile::kOverflow;
  EXPECT_EQ(reader.Find("a", &entry_), Outcome::kCorrupt);
}

TEST_F(IndexReaderTest, AFilterLeadsOnlyToWhatMayBeThere) {
  const IndexReader reader = Open();
  file_.bucket_of("a").next = IndexFile::kBuckets + IndexFile::kOverflow;
  const uint32_t bits = FilterBitsOf(MakeIndexKey("a", file_.header().seed));
  file_.bucket_of("a").filter = ~bits;
  EXPECT_EQ(reader.Find("a", &entry_), Outcome::kAbsent);
  file_.bucket_of("a").filter = ~bits | (bits & (bits - 1));  // One of the two.
  EXPECT_EQ(reader.Find("a", &entry_), Outcome::kAbsent);
  file_.bucket_of("a").filter = bits;
  EXPECT_EQ(reader.Find("a", &entry_), Outcome::kCorrupt) << "it went on";
}

TEST_F(IndexReaderTest, ATableOfNoSizeOrBeyondItsLimitIsCorrupt) {
  const IndexReader reader = Open();
  for (const uint32_t count : {0u, IndexFile::kBuckets + 1, UINT32_MAX}) {
    file_.size().bucket_count = count;
    EXPECT_EQ(reader.Find("a", &entry_), Outcome::kCorrupt);
    reader.Prefetch(std::vector<std::string_view>{"a"});
  }
}

// An object is found in every size of the table.
TEST_F(IndexReaderTest, ATableOfAnySizeIsRead) {
  const IndexReader reader = Open();
  for (const uint32_t count : {1u, 2u, 3u, 4u}) {
    file_.size().bucket_count = count;
    const std::string id = "object" + std::to_string(count);
    EXPECT_EQ(reader.Find(id, &entry_), Outcome::kAbsent);
    file_.Publish(count, id, 1, 1);
    EXPECT_EQ(reader.Find(id, &entry_), Outcome::kFound);
    EXPECT_LT(entry_.bucket, count);
  }
}

TEST_F(IndexReaderTest, WhatTheStoreChangesIsBusy) {
  const IndexReader reader = Open();
  file_.Publish(1, "a", 1, 1);
  ++file_.bucket_of("a").version;
  EXPECT_EQ(reader.Find("a", &entry_), Outcome::kBusy);
  ++file_.bucket_of("a").version;
  EXPECT_EQ(reader.Find("a", &entry_), Outcome::kFound);
  file_.word(1) = MakeSlotWord(1, SlotState::kEvicting);
  EXPECT_EQ(reader.Find("a", &entry_), Outcome::kBusy);
}

TEST_F(IndexReaderTest, WhatIsElsewhereIsNeitherThereNorGone) {
  const IndexReader reader = Open();
  file_.Publish(1, "a", 1, 1);
  file_.word(1) = MakeSlotWord(1, SlotState::kElsewhere);
  EXPECT_EQ(reader.Find("a", &entry_), Outcome::kElsewhere);
  file_.word(1) = MakeSlotWord(2, SlotState::kSealed);
  EXPECT_EQ(reader.Find("a", &entry_), Outcome::kFound);
}

TEST_F(IndexReaderTest, FindsAmongManyInOneChain) {
  const IndexReader reader = Open();
  for (uint32_t i = 0; i < IndexFile::kSlots; ++i) {
    file_.Publish(i, "object" + std::to_string(i), 100 + i, 7 * i,
                  static_cast<uint8_t>(i % 4));
  }
  for (uint32_t i = 0; i < IndexFile::kSlots; ++i) {
    ASSERT_EQ(reader.Find("object" + std::to_string(i), &entry_),
              Outcome::kFound);
    EXPECT_EQ(entry_.slot, i);
    EXPECT_EQ(entry_.segment, 100 + i);
    EXPECT_EQ(entry_.size_bytes, 7 * i);
    EXPECT_EQ(entry_.flags, i % 4);
    EXPECT_TRUE(reader.StillTrue(entry_));
  }
  EXPECT_EQ(reader.Find("object64", &entry_), Outcome::kAbsent);
}

TEST_F(IndexReaderTest, AnEntryIsNotTrueAfterItsPlaceWasUsedAgain) {
  const IndexReader reader = Open();
  file_.Publish(1, "a", 1, 1);
  ASSERT_EQ(reader.Find("a", &entry_), Outcome::kFound);
  file_.Remove(1, "a");
  EXPECT_FALSE(reader.StillTrue(entry_));
  EXPECT_EQ(reader.Find("a", &entry_), Outcome::kAbsent);
  file_.Publish(1, "a", 2, 1);
  EXPECT_FALSE(reader.StillTrue(entry_));
}

}  // namespace
}  // namespace vitrine
