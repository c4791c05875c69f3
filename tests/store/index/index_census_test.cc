#include "store/index/index_census.h"

#include <gtest/gtest.h>

#include <fstream>

#include "store/index/index_writer.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::store {
namespace {

class IndexCensusTest : public testing::Test {
 protected:
  std::string path() const { return dir_.path() + "/index"; }

  ScratchDir dir_;
};

TEST_F(IndexCensusTest, CountsWhatIsSealed) {
  auto index = IndexWriter::Create(path());
  ASSERT_TRUE(index);
  constexpr uint64_t kObjects = 50000;  // More than fit their buckets.
  for (uint64_t number = 1; number <= kObjects; ++number) {
    ASSERT_TRUE(index->Publish(
        std::to_string(number),
        {.segment = number, .size_bytes = 2 * number, .number = number}));
  }
  index->MarkEvicting(index->Find("7"));
  index->Remove(index->Find("8"));
  const auto census = TakeCensus(path());
  ASSERT_TRUE(census);
  ASSERT_EQ(census->size(), kObjects - 1);
  EXPECT_EQ((*census)[6].number, 7u);
  EXPECT_EQ((*census)[7].number, 9u);
  EXPECT_EQ((*census)[7].size_bytes, 18u);
}

TEST_F(IndexCensusTest, WhatIsNoIndexHasNoObjects) {
  auto census = TakeCensus(path());
  ASSERT_TRUE(census);
  EXPECT_TRUE(census->empty());
  for (const size_t bytes : {0u, 10u, 100000u}) {
    std::ofstream(path(), std::ios::trunc) << std::string(bytes, 'x');
    census = TakeCensus(path());
    ASSERT_TRUE(census);
    EXPECT_TRUE(census->empty());
  }
}

}  // namespace
}  // namespace vitrine::store
