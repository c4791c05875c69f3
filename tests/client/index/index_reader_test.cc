#include "client/index/index_reader.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>

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
  EXPECT_EQ(ErrorAfter([](auto& h) { h.bucket_count = 0; }), kCorrupt);
  EXPECT_EQ(ErrorAfter([](auto& h) { h.bucket_count = 3; }), kCorrupt);
  EXPECT_EQ(ErrorAfter([](auto& h) { h.bucket_count = 1u << 31; }), kCorrupt);
  EXPECT_EQ(ErrorAfter([](auto& h) { h.slot_count = 0; }), kCorrupt);
  EXPECT_EQ(ErrorAfter([](auto& h) { ++h.slot_count; }), kCorrupt);
  EXPECT_EQ(ErrorAfter([](auto& h) { h.slot_count = kNoSlot; }), kCorrupt);
  EXPECT_EQ(ErrorAfter([](auto& h) { h.slots_offset += 64; }), kCorrupt);
  EXPECT_EQ(ErrorAfter([](auto& h) { h.slots_offset -= 8; }), kCorrupt);
  EXPECT_EQ(ErrorAfter([](auto& h) { h.slots_offset = ~uint64_t{63}; }),
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
  file_.Publish(1, "a", 1, 1);
  file_.slot(1).next = 1;
  for (int i = 0; i < 20; ++i) {
    const auto outcome = reader.Find("other" + std::to_string(i), &entry_);
    EXPECT_TRUE(outcome == Outcome::kCorrupt || outcome == Outcome::kAbsent);
  }
  file_.bucket_of("b").head = 1;
  EXPECT_EQ(reader.Find("b", &entry_), Outcome::kCorrupt);
}

TEST_F(IndexReaderTest, AChainOutOfTheTableEnds) {
  const IndexReader reader = Open();
  file_.bucket_of("a").head = IndexFile::kSlots;
  EXPECT_EQ(reader.Find("a", &entry_), Outcome::kCorrupt);
}

TEST_F(IndexReaderTest, WhatTheStoreChangesIsBusy) {
  const IndexReader reader = Open();
  file_.Publish(1, "a", 1, 1);
  ++file_.bucket_of("a").version;
  EXPECT_EQ(reader.Find("a", &entry_), Outcome::kBusy);
  ++file_.bucket_of("a").version;
  EXPECT_EQ(reader.Find("a", &entry_), Outcome::kFound);
  file_.slot(1).word = MakeSlotWord(1, SlotState::kEvicting);
  EXPECT_EQ(reader.Find("a", &entry_), Outcome::kBusy);
}

TEST_F(IndexReaderTest, WhatIsElsewhereIsNeitherThereNorGone) {
  const IndexReader reader = Open();
  file_.Publish(1, "a", 1, 1);
  file_.slot(1).word = MakeSlotWord(1, SlotState::kElsewhere);
  EXPECT_EQ(reader.Find("a", &entry_), Outcome::kElsewhere);
  file_.slot(1).word = MakeSlotWord(2, SlotState::kSealed);
  EXPECT_EQ(reader.Find("a", &entry_), Outcome::kFound);
}

TEST_F(IndexReaderTest, FindsAmongManyInOneChain) {
  const IndexReader reader = Open();
  for (uint32_t i = 0; i < IndexFile::kSlots; ++i) {
    file_.Publish(i, "object" + std::to_string(i), 100 + i, 7 * i, i % 4);
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

TEST_F(IndexReaderTest, AnEntryIsNotTrueAfterTheSlotWasUsedAgain) {
  const IndexReader reader = Open();
  file_.Publish(1, "a", 1, 1);
  ASSERT_EQ(reader.Find("a", &entry_), Outcome::kFound);
  file_.RemoveFirst("a");
  EXPECT_FALSE(reader.StillTrue(entry_));
  file_.Publish(1, "a", 2, 1);
  EXPECT_FALSE(reader.StillTrue(entry_));
}

}  // namespace
}  // namespace vitrine
