// The evictor alone: when it works, for whom, and when it gives up.
#include "store/keepers/evictor.h"

#include <gtest/gtest.h>

#include <future>
#include <optional>
#include <string>

#include "tests/store/store_calls.h"
#include "tests/store/table/table_fixture.h"
#include "tests/store/tiers/fake_tier.h"
#include "tests/support/eventually.h"

namespace vitrine::store {
namespace {

constexpr uint64_t kCapacity = 16 * kPage;
constexpr uint64_t kLowWater = 2 * kPage;

class EvictorTest : public TableFixture {
 protected:
  void Start(Tier* tier = nullptr) {
    evictor_.emplace(table_.get(), &budget_, &orphans_, &clients_, tier);
    budget_.SetOnShortage([this] { evictor_->Wake(); });
  }

  ~EvictorTest() override { budget_.Close(); }

  // A sealed object that is charged.
  ObjectRef Put(const std::string& id, uid_t uid = 0) {
    budget_.ForceCharge(kPage);
    return Seal(id, uid);
  }

  uint64_t Evict(uint64_t bytes) {
    Answer<uint64_t> answer;
    evictor_->Request(bytes, answer.callback());
    return *answer.Get();
  }

  uint64_t sealed() { return table_->queries().Count().sealed_objects; }
  uint64_t elsewhere() { return table_->queries().Count().elsewhere_objects; }

  MemoryBudget budget_{kCapacity, kLowWater};
  SegmentPool pool_{&*segments_, &budget_, 0};
  Orphans orphans_{&budget_, &pool_, &accounts_};
  std::optional<Evictor> evictor_;
};

TEST_F(EvictorTest, ARequestFreesAsMuchAsItAsksFor) {
  Start();
  for (const char* id : {"a", "b", "c"}) Put(id);
  EXPECT_EQ(Evict(2 * kPage), 2 * kPage);
  EXPECT_EQ(sealed(), 1u);
  EXPECT_EQ(budget_.Get().used_bytes, kPage);
}

TEST_F(EvictorTest, ARequestForMoreThanThereIsEndsWithLess) {
  Start();
  Put("a");
  EXPECT_EQ(Evict(10 * kPage), kPage);
  EXPECT_EQ(sealed(), 0u);
}

TEST_F(EvictorTest, AShortageIsEndedWithoutARequest) {
  Start();
  for (int i = 0; i < 16; ++i) Put("o" + std::to_string(i));
  Answer<void> charged;
  budget_.Charge(kPage, {}, charged.callback());
  EXPECT_TRUE(charged.Get());
  budget_.Uncharge(kPage);
}

TEST_F(EvictorTest, WhatIsOpenCannotGoAndTheRequestEnds) {
  Start();
  const ObjectRef a = Put("a");
  const auto reader = table_->sealed().OpenForReading(a);
  ASSERT_TRUE(reader);
  EXPECT_EQ(Evict(kPage), 0u);
  EXPECT_EQ(sealed(), 1u);
  const Evictor::Numbers numbers = evictor_->Count();
  EXPECT_GE(numbers.stuck, 1u);
  EXPECT_GE(numbers.busy, 1u);
}

TEST_F(EvictorTest, OneWhoWantsNoEndlessWaitHearsWhenNothingCanGo) {
  Start();
  std::vector<UniqueFd> readers;
  for (int i = 0; i < 16; ++i) {
    readers.push_back(
        *table_->sealed().OpenForReading(Put("o" + std::to_string(i))));
  }
  Answer<void> charged;
  budget_.Charge(kPage, {.fail_when_stuck = true}, charged.callback());
  const auto answer = charged.Get();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kOutOfMemory);
}

TEST_F(EvictorTest, OneThatIsBusyDoesNotKeepTheOthersIn) {
  Start();
  const ObjectRef a = Put("a");
  Put("b");
  const auto reader = table_->sealed().OpenForReading(a);
  EXPECT_EQ(Evict(kPage), kPage);
  EXPECT_EQ(table_->queries().Info(a).state, ObjectState::kSealed);
}

TEST_F(EvictorTest, TheOpenSlabIsClosedWhenNothingElseIsLeft) {
  Start();
  // Half of the capacity: no shortage has it evicted before the request.
  constexpr uint64_t kSlabBytes = kCapacity / 2;
  budget_.ForceCharge(kSlabBytes);
  EXPECT_TRUE(table_->slabs().OpenSlab(kSlabBytes));
  const SmallObject small{*ObjectId::FromText("s"), 0644, {}};
  std::vector<Status> results;
  budget_.ForceCharge(table_->slabs().PutSmall({}, {&small, 1}, &results));
  EXPECT_GE(Evict(1), kSlabBytes);
  EXPECT_EQ(sealed(), 0u);
  EXPECT_EQ(budget_.Get().used_bytes, 0u);
}

TEST_F(EvictorTest, RequestsThatAreNotDoneHearOfTheEnd) {
  FakeTier tier;
  std::promise<void> carrying;
  std::promise<void> go_on;
  std::shared_future<void> gone_on = go_on.get_future().share();
  tier.OnPut([&](const ObjectInfo&) {
    carrying.set_value();
    gone_on.wait();
    tier.OnPut({});
    return Status();
  });
  Start(&tier);
  Put("a");
  Answer<uint64_t> first;
  evictor_->Request(kPage, first.callback());
  carrying.get_future().wait();
  Answer<uint64_t> late;
  evictor_->Request(100 * kPage, late.callback());
  go_on.set_value();
  evictor_.reset();
  EXPECT_EQ(*first.Get(), kPage);
  EXPECT_EQ(*late.Get(), kPage);
}

TEST_F(EvictorTest, WithATierNothingIsGone) {
  FakeTier tier;
  Start(&tier);
  for (const char* id : {"a", "b", "c"}) Put(id);
  EXPECT_EQ(Evict(2 * kPage), 2 * kPage);
  EXPECT_EQ(sealed(), 3u);
  EXPECT_EQ(elsewhere(), 2u);
  EXPECT_EQ(tier.kept(), 2u);
}

TEST_F(EvictorTest, ATierThatTakesNothingFreesNothing) {
  FakeTier tier;
  tier.OnPut([](const ObjectInfo&) {
    return Status(Error{Code::kIoError, "no space left on device"});
  });
  Start(&tier);
  Put("a");
  EXPECT_EQ(Evict(kPage), 0u);
  EXPECT_EQ(elsewhere(), 0u);
  EXPECT_GE(evictor_->Count().carry_failures, 1u);
  tier.OnPut({});
  EXPECT_EQ(Evict(kPage), kPage);
  EXPECT_EQ(elsewhere(), 1u);
}

TEST_F(EvictorTest, WhatIsUsedOnItsWayOutIsTakenBack) {
  FakeTier tier;
  Start(&tier);
  const ObjectRef a = Put("a");
  tier.OnPut([&](const ObjectInfo&) {
    table_->sealed().Touch(a);
    return Status();
  });
  Answer<uint64_t> answer;
  evictor_->Request(kPage, answer.callback());
  // Carried once; the copy serves when it goes at last.
  EXPECT_LE(*answer.Get(), kPage);
  EXPECT_EQ(tier.puts(), 1);
  EXPECT_GE(evictor_->Count().taken_back, 1u);
}

// All that the greedy user has is in use: others' objects make room.
TEST_F(EvictorTest, WhatOthersHaveGoesIfAllBeyondTheSharesIsInUse) {
  budget_.SetAccounts(&accounts_);
  const ObjectRef modest = Put("modest", 1);
  const ObjectRef greedy = Put("greedy", 2);
  const auto reader = table_->sealed().OpenForReading(greedy);
  ASSERT_TRUE(reader);
  accounts_.ForceCharge({.uid = 2, .gid = 0}, Resource::kMemory, kCapacity);
  Start();
  budget_.ForceCharge(13 * kPage);  // One page short.
  EXPECT_TRUE(Eventually([&] {
    return table_->queries().Info(modest).state == ObjectState::kGone;
  }));
  EXPECT_EQ(table_->queries().Info(greedy).state, ObjectState::kSealed);
  accounts_.Release({.uid = 2, .gid = 0}, Resource::kMemory, kCapacity);
}

TEST_F(EvictorTest, WhatIsBeyondTheFairShareGoesBeforeWhatIsOlder) {
  budget_.SetAccounts(&accounts_);
  const ObjectRef old = Put("old", 1);
  const ObjectRef greedy = Put("greedy", 2);
  accounts_.ForceCharge({.uid = 2, .gid = 0}, Resource::kMemory, kCapacity);
  Start();
  budget_.ForceCharge(13 * kPage);  // One page short.
  EXPECT_TRUE(Eventually([&] {
    return table_->queries().Info(greedy).state == ObjectState::kGone;
  }));
  EXPECT_EQ(table_->queries().Info(old).state, ObjectState::kSealed);
  accounts_.Release({.uid = 2, .gid = 0}, Resource::kMemory, kCapacity);
}

}  // namespace
}  // namespace vitrine::store
