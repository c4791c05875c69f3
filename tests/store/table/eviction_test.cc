// The three steps of an eviction, and what comes between them.
#include "store/table/eviction.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/store/table/table_fixture.h"

namespace vitrine::store {
namespace {

class EvictionTest : public TableFixture,
                     public testing::WithParamInterface<Fate> {
 protected:
  Eviction::Departure Begin(uint64_t bytes = kPage) {
    return table_->eviction().Begin(bytes, GetParam());
  }
  // The carrier's work, of which the table only sees that it was done.
  static void Carry(Eviction::Departure* departure) {
    for (Eviction::Victim& victim : departure->victims) {
      victim.carried = departure->fate == Fate::kElsewhere;
    }
  }
  Eviction::Batch Finish(Eviction::Departure departure) {
    Carry(&departure);
    return table_->eviction().Finish(std::move(departure));
  }

  ObjectInfo Info(const ObjectRef& object) {
    return table_->queries().Info(object);
  }
  bool InMemory(const ObjectRef& object) {
    const ObjectInfo info = Info(object);
    return info.state == ObjectState::kSealed && !info.elsewhere;
  }
  void ExpectWent(const ObjectRef& object) {
    const ObjectInfo info = Info(object);
    if (GetParam() == Fate::kGone) {
      EXPECT_EQ(info.state, ObjectState::kGone);
    } else {
      EXPECT_EQ(info.state, ObjectState::kSealed);
      EXPECT_TRUE(info.elsewhere && info.copied);
      EXPECT_EQ(info.charged_bytes, 0u);
    }
  }
};

TEST_P(EvictionTest, TheOldestGoAsManyAsAreNeeded) {
  const ObjectRef a = Seal("a");
  const ObjectRef b = Seal("b");
  const ObjectRef c = Seal("c");
  const Eviction::Batch batch = Finish(Begin(2 * kPage));
  EXPECT_EQ(batch.evicted, 2u);
  EXPECT_EQ(batch.dropped_bytes, 2 * kPage);
  ExpectWent(a);
  ExpectWent(b);
  EXPECT_TRUE(InMemory(c));
}

TEST_P(EvictionTest, WhatLeavesIsFoundAndReadAsEver) {
  const ObjectRef a = Seal("a");
  Eviction::Departure departure = Begin();
  EXPECT_TRUE(table_->sealed().FindSealed(*ObjectId::FromText("a")));
  EXPECT_TRUE(InMemory(a));
  EXPECT_TRUE(table_->sealed().OpenForReading(a));
  Finish(std::move(departure));
  ExpectWent(a);
}

TEST_P(EvictionTest, AUseTakesBack) {
  const ObjectRef a = Seal("a");
  Eviction::Departure departure = Begin();
  table_->sealed().Touch(a);
  const Eviction::Batch batch = Finish(std::move(departure));
  EXPECT_EQ(batch.evicted, 0u);
  EXPECT_EQ(batch.taken_back, 1u);
  EXPECT_TRUE(InMemory(a));
  Finish(Begin());
  ExpectWent(a);
}

TEST_P(EvictionTest, AHoldTakesBack) {
  const ObjectRef a = Seal("a");
  Eviction::Departure departure = Begin();
  EXPECT_TRUE(table_->sealed().SetHold(a, true, {}));
  EXPECT_EQ(Finish(std::move(departure)).evicted, 0u);
  EXPECT_TRUE(InMemory(a));
  EXPECT_TRUE(Begin().victims.empty());
}

TEST_P(EvictionTest, AHoldAndItsEndTakeBackToo) {
  const ObjectRef a = Seal("a");
  Eviction::Departure departure = Begin();
  EXPECT_TRUE(table_->sealed().SetHold(a, true, {}));
  EXPECT_TRUE(table_->sealed().SetHold(a, false, {}));
  EXPECT_EQ(Finish(std::move(departure)).evicted, 0u);
  EXPECT_TRUE(InMemory(a));
}

TEST_P(EvictionTest, WhatIsOpenStays) {
  const ObjectRef a = Seal("a");
  Eviction::Departure departure = Begin();
  const auto reader = table_->sealed().OpenForReading(a);
  ASSERT_TRUE(reader);
  const Eviction::Batch batch = Finish(std::move(departure));
  EXPECT_EQ(batch.evicted, 0u);
  EXPECT_EQ(batch.busy, std::vector<uint64_t>{NumberOf(*a)});
  EXPECT_TRUE(InMemory(a));
}

// What came last is spared, even when all that is older was passed over.
TEST_P(EvictionTest, TheYoungestQuarterIsSpared) {
  std::vector<ObjectRef> objects;
  std::vector<Result<UniqueFd>> readers;
  for (int i = 0; i < 8; ++i) {
    objects.push_back(Seal(std::to_string(i)));
    if (i < 6) {
      readers.push_back(table_->sealed().OpenForReading(objects.back()));
    }
  }
  const auto evict = [&](bool spares_young) {
    Eviction::Departure departure = table_->eviction().Begin(
        kPage, GetParam(), {.spares_young = spares_young});
    return Finish(std::move(departure)).evicted;
  };
  for (int i = 0; i < 20; ++i) EXPECT_EQ(evict(true), 0u);
  readers.erase(readers.begin());
  const auto evict_one = [&](bool spares_young) {
    for (int i = 0; i < 20; ++i) {
      if (evict(spares_young) > 0) return true;
    }
    return false;
  };
  EXPECT_TRUE(evict_one(true));
  ExpectWent(objects[0]);
  EXPECT_TRUE(InMemory(objects[6]) && InMemory(objects[7]));
  EXPECT_TRUE(evict_one(false));
  EXPECT_FALSE(InMemory(objects[6]) && InMemory(objects[7]));
}

TEST_P(EvictionTest, WhatTheMountHasOpenStays) {
  const ObjectRef a = Seal("a");
  Eviction::Departure departure = Begin();
  departure.victims[0].file.reset();
  const auto reader = table_->sealed().Lend(a);
  ASSERT_TRUE(reader);
  const Eviction::Batch batch = Finish(std::move(departure));
  EXPECT_EQ(batch.evicted, 0u);
  EXPECT_EQ(batch.opened, 1u);
  EXPECT_TRUE(InMemory(a));
}

TEST_P(EvictionTest, WhatIsDeletedMeanwhileIsToldToTheTier) {
  const ObjectRef a = Seal("a");
  const uint64_t number = NumberOf(*a);
  Eviction::Departure departure = Begin();
  EXPECT_TRUE(table_->sealed().Delete(a, {}));
  const Eviction::Batch batch = Finish(std::move(departure));
  EXPECT_EQ(batch.evicted, 0u);
  EXPECT_EQ(Info(a).state, ObjectState::kGone);
  const bool carried = GetParam() == Fate::kElsewhere;
  EXPECT_EQ(batch.deleted,
            carried ? std::vector<uint64_t>{number} : std::vector<uint64_t>{});
}

TEST_P(EvictionTest, ASlabGoesWithItsObjects) {
  const auto objects = PutInSlab({"a", "b", "c"});
  const Eviction::Batch batch = Finish(Begin());
  EXPECT_EQ(batch.evicted, 3u);
  for (const ObjectRef& object : objects) ExpectWent(object);
  EXPECT_EQ(table_->queries().Count().slabs, 0u);
  EXPECT_GE(batch.dropped_bytes, kSlab);
}

TEST_P(EvictionTest, ASlabThatIsDroppedMeanwhileIsNoVictim) {
  const auto objects = PutInSlab({"a", "b"});
  Eviction::Departure departure = Begin();
  for (const ObjectRef& object : objects) {
    EXPECT_TRUE(table_->sealed().Delete(object, {}));
  }
  EXPECT_EQ(table_->queries().Count().slabs, 0u);
  EXPECT_EQ(Finish(std::move(departure)).evicted, 0u);
}

TEST_P(EvictionTest, OneOfASlabThatIsDeletedMeanwhileIsLeftOut) {
  const auto objects = PutInSlab({"a", "b"});
  Eviction::Departure departure = Begin();
  EXPECT_TRUE(table_->sealed().Delete(objects[0], {}));
  EXPECT_EQ(Finish(std::move(departure)).evicted, 1u);
  EXPECT_EQ(Info(objects[0]).state, ObjectState::kGone);
  ExpectWent(objects[1]);
}

TEST_P(EvictionTest, AHoldInASlabTakesAllOfItBack) {
  const auto objects = PutInSlab({"a", "b"});
  Eviction::Departure departure = Begin();
  EXPECT_TRUE(table_->sealed().SetHold(objects[1], true, {}));
  EXPECT_EQ(Finish(std::move(departure)).evicted, 0u);
  EXPECT_TRUE(InMemory(objects[0]) && InMemory(objects[1]));
}

INSTANTIATE_TEST_SUITE_P(Fates, EvictionTest,
                         testing::Values(Fate::kGone, Fate::kElsewhere),
                         [](const auto& fate) {
                           return fate.param == Fate::kGone ? "Gone"
                                                            : "Elsewhere";
                         });

using EvictionToTierTest = EvictionTest;

TEST_P(EvictionToTierTest, WhatIsInUseIsNotCarried) {
  const ObjectRef a = Seal("a");
  const auto reader = table_->sealed().Lend(a);
  ASSERT_TRUE(reader);
  const Eviction::Departure departure = Begin();
  EXPECT_TRUE(departure.victims.empty());
  EXPECT_EQ(departure.so_far.opened, 1u);
}

TEST_P(EvictionToTierTest, WhatCannotBeCarriedStays) {
  const ObjectRef a = Seal("a");
  const Eviction::Batch batch = table_->eviction().Finish(Begin());
  EXPECT_EQ(batch.evicted, 0u);
  EXPECT_TRUE(InMemory(a));
  EXPECT_FALSE(Info(a).copied);
}

TEST_P(EvictionToTierTest, ItComesBackInASegmentOfItsOwn) {
  const ObjectRef a = Seal("a");
  Finish(Begin());
  ExpectWent(a);
  EXPECT_EQ(table_->queries().Count().elsewhere_objects, 1u);
  const auto refused = table_->sealed().OpenForReading(a);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);

  const uint64_t number = table_->upkeep().NewNumber();
  ASSERT_TRUE(segments_->CreateRetired(number, kPage));
  EXPECT_TRUE(table_->returning().Return(
      a, {.number = number, .allocated_bytes = kPage, .size_bytes = kPage}));
  EXPECT_TRUE(InMemory(a));
  EXPECT_EQ(Info(a).charged_bytes, kPage);
  EXPECT_TRUE(table_->sealed().OpenForReading(a));
  EXPECT_EQ(table_->queries().Count().elsewhere_objects, 0u);
  EXPECT_EQ(table_->queries().Count().evictable_segments, 1u);
  Finish(Begin());
  ExpectWent(a);
}

TEST_P(EvictionToTierTest, ASmallOneComesBackInTheOpenSlab) {
  const auto objects = PutInSlab({"a"});
  Finish(Begin());
  ExpectWent(objects[0]);
  const std::string data(100, 's');
  const auto bytes = std::as_bytes(std::span(data));
  const auto no_room = table_->returning().ReturnSmall(objects[0], bytes);
  ASSERT_TRUE(no_room);
  EXPECT_FALSE(*no_room);
  EXPECT_TRUE(table_->slabs().OpenSlab(kSlab));
  EXPECT_TRUE(*table_->returning().ReturnSmall(objects[0], bytes));
  EXPECT_TRUE(InMemory(objects[0]));
  EXPECT_EQ(table_->queries().Count().slab_objects, 1u);
}

TEST_P(EvictionToTierTest, WhatWasDeletedDoesNotComeBack) {
  const ObjectRef a = Seal("a");
  Finish(Begin());
  EXPECT_TRUE(table_->sealed().Delete(a, {}));
  EXPECT_EQ(table_->queries().Count().elsewhere_objects, 0u);
  const Status back = table_->returning().Return(a, {.number = 1});
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, Code::kNotFound);
}

TEST_P(EvictionToTierTest, AHeldOneComesBackHeld) {
  const auto objects = PutInSlab({"a"});
  Finish(Begin());
  EXPECT_TRUE(table_->sealed().SetHold(objects[0], true, {}));
  EXPECT_TRUE(table_->slabs().OpenSlab(kSlab));
  const std::string data(100, 's');
  EXPECT_TRUE(*table_->returning().ReturnSmall(objects[0],
                                               std::as_bytes(std::span(data))));
  (void)table_->slabs().CloseOpenSlab();
  EXPECT_TRUE(Begin().victims.empty());
  EXPECT_TRUE(table_->sealed().SetHold(objects[0], false, {}));
  EXPECT_EQ(table_->queries().Count().held_bytes, 0u);
  EXPECT_EQ(Begin().victims.size(), 1u);
}

TEST_P(EvictionTest, WhatUsersHaveBeyondTheirSharesGoesFirst) {
  const ObjectRef old = Seal("old", 1);
  const std::vector<ObjectRef> small = PutInSlab({"s"}, 3);
  const ObjectRef first = Seal("first", 2);
  const ObjectRef second = Seal("second", 2);
  const Eviction::Batch batch = Finish(
      table_->eviction().Begin(3 * kPage, GetParam(), {.over = {{2, kPage}}}));
  EXPECT_TRUE(batch.by_share);
  EXPECT_EQ(batch.evictable, 2u);  // Only his.
  // No more than he has too much.
  EXPECT_EQ(batch.evicted, 1u);
  ExpectWent(first);
  // A slab is his who has most of it.
  const Eviction::Batch slab = Finish(
      table_->eviction().Begin(kPage, GetParam(), {.over = {{3, 2 * kSlab}}}));
  EXPECT_EQ(slab.evicted, 1u);
  ExpectWent(small[0]);
  EXPECT_TRUE(InMemory(old));
  EXPECT_TRUE(InMemory(second));
}

// Others' old ones do not go for that.
TEST_P(EvictionTest, WhoHasTooMuchLosesYoungObjectsIfHeHasNoOthers) {
  for (const char* id : {"a", "b", "c"}) Seal(id, 1);
  const ObjectRef young = Seal("young", 2);
  const Eviction::Batch batch = Finish(table_->eviction().Begin(
      kPage, GetParam(), {.spares_young = true, .over = {{2, kPage}}}));
  EXPECT_EQ(batch.evicted, 1u);
  EXPECT_EQ(batch.spared, 0u);
  ExpectWent(young);
}

TEST_P(EvictionTest, WithoutAnyBeyondTheSharesTheOldestGo) {
  const ObjectRef old = Seal("old", 1);
  const ObjectRef young = Seal("young", 2);
  const Eviction::Batch batch = Finish(table_->eviction().Begin(
      kPage, GetParam(), {.over = {{7, 100 * kPage}}}));
  EXPECT_FALSE(batch.by_share);
  EXPECT_EQ(batch.evictable, 2u);
  ExpectWent(old);
  EXPECT_TRUE(InMemory(young));
}

INSTANTIATE_TEST_SUITE_P(Tier, EvictionToTierTest,
                         testing::Values(Fate::kElsewhere));

}  // namespace
}  // namespace vitrine::store
