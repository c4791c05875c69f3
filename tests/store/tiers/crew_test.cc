#include "store/tiers/crew.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "tests/support/eventually.h"

namespace vitrine::store {
namespace {

TEST(CrewTest, EachPartIsDoneOnce) {
  Crew crew(2);
  for (const size_t count : {0U, 1U, 2U, 100U}) {
    std::vector<std::atomic<int>> done(count);
    EXPECT_TRUE(crew.ForEach(count, [&done](size_t part) {
      ++done[part];
      return Status();
    }));
    for (const auto& times : done) EXPECT_EQ(times, 1);
  }
}

TEST(CrewTest, HelpersHelp) {
  Crew crew(2);
  std::atomic<int> inside{0};
  EXPECT_TRUE(crew.ForEach(3, [&inside](size_t) {
    ++inside;
    EXPECT_TRUE(Eventually([&inside] { return inside == 3; }));
    return Status();
  }));
}

TEST(CrewTest, AfterAFailureNoMoreBegin) {
  Crew crew(2);
  std::atomic<int> begun{0};
  const Status done = crew.ForEach(1000, [&begun](size_t part) -> Status {
    ++begun;
    return Error{Code::kIoError, std::to_string(part)};
  });
  ASSERT_FALSE(done);
  EXPECT_LE(begun, 3);
}

// Even if all helpers have other work: of a task within a task, too.
TEST(CrewTest, TheCallerWorksInAnyCase) {
  Crew crew(1);
  std::atomic<int> done{0};
  EXPECT_TRUE(crew.ForEach(4, [&](size_t) {
    return crew.ForEach(4, [&](size_t) {
      ++done;
      return Status();
    });
  }));
  EXPECT_EQ(done, 16);
}

}  // namespace
}  // namespace vitrine::store
