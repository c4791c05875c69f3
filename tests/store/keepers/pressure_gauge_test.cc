#include "store/keepers/pressure_gauge.h"

#include <gtest/gtest.h>

namespace vitrine::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kCapacity = 640 * kMiB;
constexpr uint64_t kLimit = 800 * kMiB;
constexpr uint64_t kReserve = 100 * kMiB;  // An eighth of it.

class PressureGaugeTest : public testing::Test {
 protected:
  // The store has `charged_mib`, others have `others_mib` of the limit.
  uint64_t Measure(uint64_t charged_mib, uint64_t others_mib) {
    const uint64_t used = (charged_mib + others_mib) * kMiB;
    const machine::MemoryRoom room{
        "a limit", kLimit, kLimit - std::min(kLimit, used), charged_mib * kMiB};
    return gauge_.Measure({room}, charged_mib * kMiB, now_) / kMiB;
  }
  void Pass(milliseconds time) { now_ += time; }

  PressureGauge::Clock::time_point now_{std::chrono::hours(1)};
  PressureGauge gauge_{kCapacity};
};

TEST_F(PressureGaugeTest, WithRoomItIsTheCapacity) {
  EXPECT_EQ(Measure(600, 0), 640u);
  EXPECT_FALSE(gauge_.is_short());
  EXPECT_EQ(gauge_.tightest()->reserve_bytes, kReserve);
}

TEST_F(PressureGaugeTest, WithoutFactsItIsTheCapacity) {
  EXPECT_EQ(gauge_.Measure({}, 5, now_), kCapacity);
  EXPECT_FALSE(gauge_.tightest());
}

TEST_F(PressureGaugeTest, ItFallsToWhatLeavesTheReserve) {
  EXPECT_EQ(Measure(600, 150), 550u);
  EXPECT_TRUE(gauge_.is_short());
  // What was evicted meanwhile does not make it fall further.
  EXPECT_EQ(Measure(580, 150), 550u);
  EXPECT_EQ(Measure(550, 150), 550u);
}

// A create must not take the last of the room at one go.
TEST_F(PressureGaugeTest, ItFallsBeforeTheReserveIsTouched) {
  EXPECT_EQ(Measure(100, 200), 500u);
}

TEST_F(PressureGaugeTest, ItRisesOnlyAfterACalmTime) {
  EXPECT_EQ(Measure(600, 150), 550u);
  Pass(milliseconds(1900));
  EXPECT_EQ(Measure(550, 0), 550u);
  Pass(milliseconds(200));
  EXPECT_EQ(Measure(550, 0), 640u);
  EXPECT_FALSE(gauge_.is_short());
}

TEST_F(PressureGaugeTest, AFallBeginsTheCalmTimeAnew) {
  EXPECT_EQ(Measure(600, 150), 550u);
  Pass(milliseconds(1900));
  EXPECT_EQ(Measure(550, 160), 540u);
  Pass(milliseconds(1900));
  EXPECT_EQ(Measure(540, 0), 540u);
}

TEST_F(PressureGaugeTest, ItLeavesHalfAReserveMoreWhenItRises) {
  EXPECT_EQ(Measure(600, 200), 500u);
  Pass(seconds(3));
  EXPECT_EQ(Measure(500, 160), 500u) << "540 would leave no more";
  EXPECT_EQ(Measure(500, 100), 550u);
  EXPECT_EQ(Measure(500, 140), 550u) << "and it stays when some comes back";
}

// Others take and give back up to half a reserve: the limit moves once.
TEST_F(PressureGaugeTest, ItDoesNotMoveToAndFro) {
  const uint64_t first = Measure(500, 200);
  for (int i = 0; i < 100; ++i) {
    Pass(seconds(1));
    EXPECT_EQ(Measure(500, i % 2 == 0 ? 152 : 200), first) << i;
  }
}

TEST_F(PressureGaugeTest, ALittleStaysWhateverOthersTake) {
  EXPECT_EQ(Measure(0, 800), 10u);
  EXPECT_EQ(Measure(5, 900), 10u);
}

// The pages of the store's objects may be charged to other cgroups.
TEST_F(PressureGaugeTest, NoMoreIsEvictedThanThereIsSharedMemory) {
  const machine::MemoryRoom room{"a limit", kLimit, 0, 20 * kMiB};
  EXPECT_EQ(gauge_.Measure({room}, 600 * kMiB, now_), 580 * kMiB);
}

TEST_F(PressureGaugeTest, TheTightestRoomCounts) {
  const machine::MemoryRoom wide{"wide", 8000 * kMiB, 4000 * kMiB, 0};
  const machine::MemoryRoom tight{"tight", kLimit, 150 * kMiB, 0};
  EXPECT_EQ(gauge_.Measure({wide, tight, wide}, 100 * kMiB, now_), 150 * kMiB);
  EXPECT_EQ(gauge_.tightest()->room.limit, "tight");
}

TEST_F(PressureGaugeTest, ItLooksTheOftenerTheLessRoomThereIs) {
  EXPECT_EQ(gauge_.NextPause(), seconds(2));
  Measure(0, 0);
  const auto wide = gauge_.NextPause();
  Measure(300, 200);
  const auto narrow = gauge_.NextPause();
  Measure(600, 200);
  const auto none = gauge_.NextPause();
  EXPECT_GT(wide, narrow);
  EXPECT_GT(narrow, none);
  EXPECT_GT(none, milliseconds(0));
}

}  // namespace
}  // namespace vitrine::store
