#include "client/ring/put_failures.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/client/test_store.h"

namespace vitrine {
namespace {

FailedPut Failed(size_t i) {
  return FailedPut{Id(std::to_string(i)), Error{Code::kAlreadyExists, "taken"}};
}

TEST(PutFailuresTest, BeyondItsLimitItCounts) {
  PutFailures failures;
  for (size_t i = 0; i < PutFailures::kMaxKept + 5; ++i) {
    failures.Add(Failed(i));
  }
  const auto taken = failures.Take();
  ASSERT_EQ(taken.size(), PutFailures::kMaxKept + 1);
  EXPECT_EQ(taken.back().id.text(), std::to_string(PutFailures::kMaxKept));
  EXPECT_EQ(taken.back().error.code, Code::kAlreadyExists);
  EXPECT_NE(taken.back().error.message.find("4 later puts"), std::string::npos);
}

TEST(PutFailuresTest, WhatWasTakenIsNotTakenAgain) {
  PutFailures failures;
  failures.Add(Failed(1));
  EXPECT_EQ(failures.Take().size(), 1u);
  EXPECT_TRUE(failures.Take().empty());
  for (size_t i = 0; i < PutFailures::kMaxKept + 1; ++i) {
    failures.Add(Failed(i));
  }
  EXPECT_EQ(failures.Take().size(), PutFailures::kMaxKept + 1);
  EXPECT_TRUE(failures.Take().empty());
}

}  // namespace
}  // namespace vitrine
