#include "store/server/attention.h"

#include <gtest/gtest.h>

namespace vitrine::store {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

Attention::Duration After(int times, Attention::Duration pause,
                          Attention attention = {}) {
  for (int i = 0; i < times; ++i) attention.NoteWorkAfter(pause);
  return attention.Length();
}

TEST(AttentionTest, IsShortAtFirstAndForFastWork) {
  EXPECT_EQ(Attention().Length(), Attention::kShortest);
  EXPECT_EQ(After(100, microseconds(1)), Attention::kShortest);
}

TEST(AttentionTest, IsLongerThanThePausesOfSteadyWork) {
  for (const int pause : {40, 100, 200, 400}) {
    const auto length = After(100, microseconds(pause));
    EXPECT_GT(length, microseconds(pause)) << pause;
    EXPECT_LE(length, Attention::kLongest) << pause;
  }
}

TEST(AttentionTest, DoesNotWaitForWorkThatIsRare) {
  EXPECT_EQ(After(100, seconds(1)), Attention::kShortest);
}

TEST(AttentionTest, OneLongPauseAmongManyChangesLittle) {
  Attention attention;
  for (int i = 0; i < 100; ++i) attention.NoteWorkAfter(microseconds(100));
  attention.NoteWorkAfter(seconds(10));
  EXPECT_GT(attention.Length(), microseconds(100));
  EXPECT_LE(attention.Length(), Attention::kLongest);
}

}  // namespace
}  // namespace vitrine::store
