#include "store/keepers/pressure_watch.h"

#include <gtest/gtest.h>

#include <atomic>

#include "store/keepers/evictor.h"
#include "tests/store/keepers/house_parts.h"

namespace vitrine::store {
namespace {

// A machine of 512 MiB, of which others have `others_bytes`.
class PressureWatchTest : public HouseParts {
 protected:
  PressureWatchTest() {
    budget_.SetOnShortage([this] { evictor_.Wake(); });
    budget_.SetReclaim([this](uint64_t bytes) { pool_.Shrink(bytes); });
  }

  void Start() {
    auto watch = PressureWatch::Start(
        {.table = &*table_, .segments = &*segments_, .budget = &budget_},
        [this] { return Rooms(); });
    ASSERT_TRUE(watch) << watch.error().ToString();
    watch_ = *std::move(watch);
  }
  std::vector<machine::MemoryRoom> Rooms() const {
    const uint64_t used = others_bytes_ + used_bytes();
    return {{"the test", kTotal, kTotal - std::min(used, kTotal), kTotal}};
  }
  // A sealed object of 1 MiB.
  void AddSealed(const std::string& id) {
    ASSERT_TRUE(budget_.TryCharge(kMiB));
    const ObjectRef object = Insert(id);
    Append(OpenToWrite(object), kMiB);
    table_->unsealed().RaiseCharge(object, kMiB);
    ASSERT_TRUE(table_->sealing().Seal(object, *ObjectId::FromText(id), kMiB));
  }

  static constexpr uint64_t kTotal = 512 * kMiB;
  static constexpr uint64_t kReserve = 64 * kMiB;

  std::atomic<uint64_t> others_bytes_ = 0;
  Evictor evictor_{&*table_, &budget_, &orphans_, &clients_, nullptr};
  std::unique_ptr<PressureWatch> watch_;
};

TEST_F(PressureWatchTest, WithRoomNothingHappens) {
  AddSealed("a");
  Start();
  EXPECT_TRUE(Eventually([&] { return watch_->Count().room_bytes > 0; }));
  const auto numbers = watch_->Count();
  EXPECT_FALSE(numbers.is_short);
  EXPECT_EQ(numbers.problem, "");
  EXPECT_EQ(numbers.limit_bytes, kCapacity);
  EXPECT_EQ(numbers.reserve_bytes, kReserve);
  EXPECT_EQ(used_bytes(), kMiB);
}

TEST_F(PressureWatchTest, EvictsWhatOthersTakeAndSaysWhy) {
  for (const char* id : {"a", "b", "c", "d"}) AddSealed(id);
  Start();
  others_bytes_ = kTotal - kReserve - 2 * kMiB;
  EXPECT_TRUE(UsesSoon(2 * kMiB));
  EXPECT_FALSE(table_->sealed().FindSealed(*ObjectId::FromText("a")));
  EXPECT_TRUE(table_->sealed().FindSealed(*ObjectId::FromText("d")));
  EXPECT_TRUE(Eventually([&] { return watch_->Count().evicted_objects == 2; }));
  const auto numbers = watch_->Count();
  EXPECT_TRUE(numbers.is_short);
  EXPECT_EQ(numbers.limit_bytes, 2 * kMiB);
  EXPECT_EQ(numbers.times_short, 1u);
  EXPECT_NE(numbers.problem.find("the test"), std::string::npos)
      << numbers.problem;
}

TEST_F(PressureWatchTest, AWaitingRequestIsServedWhenOthersAreDone) {
  AddSealed("a");
  others_bytes_ = kTotal;
  Start();
  EXPECT_TRUE(Eventually([&] { return watch_->Count().is_short; }));
  std::atomic<bool> granted = false;
  budget_.Charge(kCapacity / 2, {},
                 [&](Status status) { granted = bool{status}; });
  EXPECT_FALSE(granted);
  others_bytes_ = 0;
  EXPECT_TRUE(Eventually([&] { return granted.load(); }));
  EXPECT_TRUE(Eventually([&] { return !watch_->Count().is_short; }));
  EXPECT_EQ(budget_.Get().lacking_bytes, 0u);
}

}  // namespace
}  // namespace vitrine::store
