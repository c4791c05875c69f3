#include "client/index/segment_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace vitrine {
namespace {

LocalSegment Numbered(uint64_t number) {
  return LocalSegment{number, nullptr, 0, 0, false, false};
}

TEST(SegmentTableTest, WhatWasNeverAddedIsNotFound) {
  const SegmentTable table;
  EXPECT_EQ(table.Find(0), nullptr);
  EXPECT_EQ(table.Find(42), nullptr);
}

TEST(SegmentTableTest, PlacesStayWhileItGrows) {
  SegmentTable table;
  std::map<uint64_t, LocalSegment*> added;
  for (uint64_t number = 0; number < 1000; ++number) {
    added[number] = table.Add(Numbered(number));
  }
  EXPECT_EQ(table.size(), 1000u);
  for (const auto& [number, segment] : added) {
    EXPECT_EQ(table.Find(number), segment);
  }
}

TEST(SegmentTableTest, RandomAddsAndRemovesAgreeWithAMap) {
  SegmentTable table;
  std::map<uint64_t, LocalSegment*> model;
  std::mt19937_64 random(7);
  for (int step = 0; step < 200000; ++step) {
    const uint64_t number = random() % 300;
    const auto known = model.find(number);
    ASSERT_EQ(table.Find(number),
              known == model.end() ? nullptr : known->second);
    if (known == model.end()) {
      model[number] = table.Add(Numbered(number));
    } else {
      table.Remove(number);
      model.erase(known);
    }
    ASSERT_EQ(table.size(), model.size());
  }
}

}  // namespace
}  // namespace vitrine
