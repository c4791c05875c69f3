// Restarts of a store whose tier outlives it.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/store/tiers/tiered_store.h"

namespace vitrine::store {
namespace {

class ElsewhereRestartTest : public TieredStore {
 protected:
  ElsewhereRestartTest() {
    options_.tier = lasting_;
    options_.on_exit = OnExit::kKeep;  // It is as if the store were killed.
    Restart();
  }

  // `small0`, `large0`, ...
  void PutSome(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string n = std::to_string(i);
      Put("small" + n, Bytes("small" + n, 5000));
      PutLarge("large" + n, 400'000);
    }
  }
  void ExpectAll(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string n = std::to_string(i);
      EXPECT_EQ(ReadWanted("small" + n), Bytes("small" + n, 5000));
      EXPECT_EQ(ReadWanted("large" + n), Bytes("large" + n, 400'000));
    }
    EXPECT_EQ(sealed_objects(), 2 * static_cast<uint64_t>(count));
  }
  void EvictAll() {
    ASSERT_TRUE(Evict(kCapacity));
    ASSERT_EQ(elsewhere(), sealed_objects());
  }
  void RestartHost() {
    store_.reset();
    std::filesystem::remove_all(options_.memory_dir);
    std::filesystem::create_directory(options_.memory_dir);
    Restart();
  }
  // With no tier, and with another one.
  void ExpectRefusals() {
    for (const auto& tier :
         {std::shared_ptr<Tier>(), std::shared_ptr<Tier>(new FakeTier(8))}) {
      options_.tier = tier;
      const Status refused = TryRestart();
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, Code::kCorruption);
      EXPECT_NE(refused.error().message.find("was not given"),
                std::string::npos)
          << refused.error().message;
    }
  }
  ObjectRef Find(const std::string& id) {
    const auto object = store_->sealed().FindSealed(Id(id));
    return object ? *object : nullptr;
  }
  Status TryRestart() {
    store_.reset();
    auto store = Store::Open(options_);
    if (!store) return store.error();
    store_ = *std::move(store);
    return Status();
  }
  uint64_t sealed_objects() {
    return store_->facts().GetUsage().sealed_objects;
  }
  uint64_t elsewhere() {
    return store_->facts().StatusJson()["objects"]["elsewhere"].get<uint64_t>();
  }

  std::shared_ptr<FakeTier> lasting_ = std::make_shared<FakeTier>(7);
};

TEST_F(ElsewhereRestartTest, WhatIsElsewhereIsThereAfterAKill) {
  PutSome(5);
  EvictAll();
  Restart();
  EXPECT_EQ(elsewhere(), 10U);
  ExpectAll(5);
}

TEST_F(ElsewhereRestartTest, WhatCameBackIsInMemoryAfterAKill) {
  PutSome(3);
  EvictAll();
  ExpectAll(3);
  const int gets = lasting_->gets();
  Restart();
  EXPECT_EQ(elsewhere(), 0U);
  ExpectAll(3);
  EXPECT_EQ(lasting_->gets(), gets);
  // The tier still has copies, so that nothing is carried again.
  const int puts = lasting_->puts();
  EvictAll();
  EXPECT_EQ(lasting_->puts(), puts);
  ExpectAll(3);
}

TEST_F(ElsewhereRestartTest, AttributesAreAsTheyWere) {
  const Metadata metadata = {{"shape", "3,4"}};
  PutLabelled("a", "bytes", metadata);
  PutLarge("b");
  const ObjectInfo a = store_->objects().Info(Find("a"));
  const ObjectInfo b = store_->objects().Info(Find("b"));
  EvictAll();
  EXPECT_TRUE(store_->sealed().SetHold(Find("b"), true, {}));
  for (int round = 0; round < 2; ++round) {
    Restart();
    EXPECT_EQ(MetadataOfSealed("a"), metadata);
    const ObjectInfo again = store_->objects().Info(Find("b"));
    EXPECT_EQ(again.number, b.number);
    EXPECT_EQ(again.mode, b.mode);
    EXPECT_EQ(again.created_ns, b.created_ns);
    EXPECT_EQ(again.sealed_ns, b.sealed_ns);
    EXPECT_TRUE(again.hold);
    EXPECT_EQ(store_->objects().Info(Find("a")).sealed_ns, a.sealed_ns);
  }
}

TEST_F(ElsewhereRestartTest, WhatIsDeletedStaysDeleted) {
  PutSome(3);
  EvictAll();
  EXPECT_TRUE(store_->sealed().Delete(Find("small1"), {}));
  EXPECT_TRUE(store_->sealed().Delete(Find("large1"), {}));
  Restart();
  EXPECT_EQ(Find("small1"), nullptr);
  EXPECT_EQ(Find("large1"), nullptr);
  EXPECT_EQ(lasting_->kept(), 4U);
}

// The store died before the tier heard of the deletion.
TEST_F(ElsewhereRestartTest, TheTierForgetsWhatTheJournalSaysIsDeleted) {
  PutSome(1);
  EvictAll();
  const ObjectInfo deleted = store_->objects().Info(Find("large0"));
  const std::string bytes = Bytes("large0", 400'000);
  EXPECT_TRUE(store_->sealed().Delete(Find("large0"), {}));
  store_.reset();
  const Tier::Load load{deleted, nullptr, std::as_bytes(std::span(bytes))};
  ASSERT_TRUE(lasting_->Put({&load, 1}));
  Restart();
  EXPECT_EQ(Find("large0"), nullptr);
  EXPECT_EQ(lasting_->kept(), 1U);
}

TEST_F(ElsewhereRestartTest, WhatHasACopySurvivesTheHost) {
  PutSome(3);
  EvictAll();
  EXPECT_EQ(ReadWanted("large2"), Bytes("large2", 400'000));
  PutLarge("never spilled");
  RestartHost();
  EXPECT_EQ(Find("never spilled"), nullptr);
  EXPECT_EQ(elsewhere(), 6U);
  ExpectAll(3);
  Restart();  // From a journal that knows them.
  ExpectAll(3);
  EXPECT_TRUE(store_->sealed().Delete(Find("small0"), {}));
  Restart();
  EXPECT_EQ(Find("small0"), nullptr);
}

TEST_F(ElsewhereRestartTest, OfTwoOfOneIdTheNewerSurvivesTheHost) {
  PutLarge("a");
  EvictAll();
  const ObjectInfo old = store_->objects().Info(Find("a"));
  EXPECT_TRUE(store_->sealed().Delete(Find("a"), {}));
  PutLarge("a", 3000);
  EvictAll();
  store_.reset();
  const std::string bytes = Bytes("a", kMiB);
  const Tier::Load load{old, nullptr, std::as_bytes(std::span(bytes))};
  ASSERT_TRUE(lasting_->Put({&load, 1}));
  RestartHost();
  EXPECT_EQ(ReadWanted("a"), Bytes("a", 3000));
  EXPECT_EQ(lasting_->kept(), 1U);
}

TEST_F(ElsewhereRestartTest, AnOrderlyEndLeavesAllInTheTier) {
  options_.on_exit.reset();
  Restart();
  PutSome(3);
  const Metadata metadata = {{"name", "value"}};
  PutLabelled("labelled", "bytes", metadata);
  EXPECT_TRUE(store_->sealed().SetHold(Find("large0"), true, {}));
  const auto in_use = store_->objects().OpenForReading(Find("large1"));
  Restart();
  EXPECT_EQ(elsewhere(), 7U);
  EXPECT_EQ(MetadataOfSealed("labelled"), metadata);
  EXPECT_TRUE(store_->objects().Info(Find("large0")).hold);
  EXPECT_TRUE(store_->sealed().Delete(Find("labelled"), {}));
  ExpectAll(3);
}

TEST_F(ElsewhereRestartTest, AnEndThatDropsLeavesNothing) {
  options_.on_exit = OnExit::kDrop;
  Restart();
  PutSome(3);
  EXPECT_TRUE(Evict(kMiB));
  store_.reset();
  EXPECT_EQ(lasting_->kept(), 0U);
  Restart();
  EXPECT_EQ(sealed_objects(), 0U);
}

TEST_F(ElsewhereRestartTest, AnEndThatCannotSpillKeepsTheMemory) {
  options_.on_exit = OnExit::kSpill;
  Restart();
  PutSome(3);
  EXPECT_TRUE(Evict(kMiB));
  lasting_->OnPut([](const ObjectInfo&) {
    return Status(Error{Code::kIoError, "no space left on device"});
  });
  Restart();
  lasting_->OnPut({});
  ExpectAll(3);
}

TEST_F(ElsewhereRestartTest, WithoutItsTierAStoreDoesNotStart) {
  PutSome(2);
  EvictAll();
  PutLarge("here");
  ExpectRefusals();
  options_.tier = lasting_;
  Restart();
  EXPECT_TRUE(store_->sealed().Delete(Find("here"), {}));
  ExpectAll(2);
}

// It would not know of what was deleted meanwhile.
TEST_F(ElsewhereRestartTest, NorDoesOneWithAllObjectsInMemory) {
  PutLarge("a");
  EvictAll();
  EXPECT_EQ(ReadWanted("a"), Bytes("a", kMiB));
  ExpectRefusals();
  options_.tier = lasting_;
  Restart();
  EXPECT_TRUE(store_->sealed().Delete(Find("a"), {}));
  options_.tier = nullptr;
  Restart();  // There is nothing left that could be lost.
  EXPECT_EQ(sealed_objects(), 0U);
}

TEST_F(ElsewhereRestartTest, WithoutItsTierAStoreRecoversWhatIsInMemory) {
  PutSome(2);
  EvictAll();
  PutLarge("here");
  options_.tier = nullptr;
  options_.recover = true;
  Restart();
  EXPECT_EQ(sealed_objects(), 1U);
  EXPECT_EQ(Read("here"), Bytes("here", kMiB));
}

// It may be found another time.
TEST_F(ElsewhereRestartTest, WhatTheTierDoesNotFindIsNotForgotten) {
  PutSome(2);
  EvictAll();
  const ObjectInfo info = store_->objects().Info(Find("large1"));
  store_.reset();
  lasting_->Forget(info.number);
  for (int restart = 0; restart < 2; ++restart) {
    Restart();
    EXPECT_EQ(ReadWanted("large0"), Bytes("large0", 400'000));
    const Status lost = Want("large1");
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().code, Code::kCorruption);
  }
  store_.reset();
  const std::string bytes = Bytes("large1", 400'000);
  const Tier::Load load{info, nullptr, std::as_bytes(std::span(bytes))};
  ASSERT_TRUE(lasting_->Put({&load, 1}));
  Restart();
  EXPECT_EQ(ReadWanted("large1"), bytes);
  EvictAll();
  store_.reset();
  lasting_->Forget(info.number);
  options_.recover = true;
  Restart();
  EXPECT_EQ(Find("large1"), nullptr);
}

TEST_F(ElsewhereRestartTest, AJournalThatCannotBeReadIsStillARefusal) {
  PutLarge("a");
  EvictAll();
  PutLarge("here");
  store_.reset();
  const std::string journal = options_.memory_dir + "/journal";
  ASSERT_TRUE(std::filesystem::exists(journal));
  std::filesystem::resize_file(journal, 0);
  EXPECT_FALSE(TryRestart());
  options_.recover = true;
  EXPECT_TRUE(TryRestart());
  EXPECT_EQ(ReadWanted("a"), Bytes("a", kMiB));
}

TEST_F(ElsewhereRestartTest, AStrangersCopiesAreRefused) {
  PutLarge("a");
  ObjectInfo info = store_->objects().Info(Find("a"));
  info.size_bytes = 5;
  info.id = Id("b");
  const std::string bytes = "bytes";
  const Tier::Load load{info, nullptr, std::as_bytes(std::span(bytes))};
  ASSERT_TRUE(lasting_->Put({&load, 1}));
  const Status refused = TryRestart();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
}

// Nobody has used what it took over.
TEST_F(ElsewhereRestartTest, AStartThatIsAbandonedLeavesTheTierAsItIs) {
  PutSome(2);
  EvictAll();
  options_.on_exit = OnExit::kDrop;
  RestartHost();
  store_->AbandonStart();
  store_.reset();
  EXPECT_EQ(lasting_->kept(), 4U);
  options_.on_exit = OnExit::kKeep;
  Restart();
  ExpectAll(2);
}

// Somebody deleted a segment of a dead store, of which there is a copy.
TEST_F(ElsewhereRestartTest, ACopyStandsInForMemoryThatIsGone) {
  PutLarge("a");
  EvictAll();
  EXPECT_EQ(ReadWanted("a"), Bytes("a", kMiB));
  const std::string segment = store_->objects().SegmentPath(Find("a"));
  store_.reset();
  ASSERT_TRUE(std::filesystem::remove(segment)) << segment;
  for (int round = 0; round < 2; ++round) {
    Restart();
    EXPECT_EQ(elsewhere(), 1U);
  }
  EXPECT_EQ(ReadWanted("a"), Bytes("a", kMiB));
}

TEST_F(ElsewhereRestartTest, ASmallerCapacityDropsNothing) {
  PutSome(12);
  options_.capacity_bytes = kCapacity / 2;
  Restart();
  EXPECT_GT(elsewhere(), 0U);
  ExpectAll(12);
}

TEST_F(ElsewhereRestartTest, AJournalThatWasRewrittenKnowsWhereAllIs) {
  PutSome(3);
  EvictAll();
  EXPECT_EQ(ReadWanted("large0"), Bytes("large0", 400'000));
  // Most records are of what is gone.
  for (int i = 0; i < 3000; ++i) {
    Put("gone", "x");
    EXPECT_TRUE(store_->sealed().Delete(Find("gone"), {}));
  }
  Restart();
  EXPECT_EQ(elsewhere(), 5U);
  ExpectAll(3);
}

// A tier is given to a store that is already at work.
TEST_F(ElsewhereRestartTest, ATierMayComeLater) {
  options_.tier = nullptr;
  options_.on_exit = OnExit::kDrop;
  Restart();
  options_.on_exit = OnExit::kKeep;
  Restart();
  PutSome(2);
  options_.tier = lasting_;
  Restart();
  EvictAll();
  Restart();
  ExpectAll(2);
}

}  // namespace
}  // namespace vitrine::store
