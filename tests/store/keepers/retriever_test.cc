// A store with a tier: what is evicted is elsewhere, and comes back.
#include "store/keepers/retriever.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <random>
#include <thread>

#include "tests/store/tiers/tiered_store.h"

namespace vitrine::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

using RetrieverTest = TieredStore;

TEST_F(RetrieverTest, MoreThanFitsIsKeptAndComesBack) {
  const std::vector<uint64_t> sizes = {kMiB, 3 * kMiB + 17, 100, 4097, 0};
  for (int i = 0; i < 30; ++i) {
    const std::string id = "o" + std::to_string(i);
    const uint64_t size = sizes[static_cast<size_t>(i) % sizes.size()];
    if (size < 1000) {
      Put(id, Bytes(id, size));
    } else {
      PutLarge(id, size);
    }
  }
  for (int i = 29; i >= 0; --i) {
    const std::string id = "o" + std::to_string(i);
    EXPECT_EQ(ReadWanted(id),
              Bytes(id, sizes[static_cast<size_t>(i) % sizes.size()]));
  }
  EXPECT_GT(tier_->gets(), 0);
  EXPECT_EQ(store_->facts().GetUsage().sealed_objects, 30u);
}

TEST_F(RetrieverTest, WhatIsInMemoryAsksNoTier) {
  PutLarge("a");
  EXPECT_TRUE(Want("a"));
  EXPECT_EQ(tier_->gets(), 0);
  const Status none = Want("b");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kNotFound);
}

TEST_F(RetrieverTest, ASmallOneKeepsItsMetadata) {
  const Metadata metadata = {{"shape", "3,4"}};
  PutLabelled("a", "bytes", metadata);
  SendElsewhere(*store_->sealed().FindSealed(Id("a")));
  EXPECT_EQ(MetadataOfSealed("a"), metadata);
  EXPECT_EQ(ReadWanted("a"), "bytes");
  EXPECT_EQ(MetadataOfSealed("a"), metadata);
}

TEST_F(RetrieverTest, ManyWhoWantItFetchItOnce) {
  const ObjectRef a = PutLarge("a");
  SendElsewhere(a);
  std::promise<void> all_asked;
  tier_->OnGet([asked = all_asked.get_future().share()](const ObjectInfo&) {
    asked.wait();
    return Status();
  });
  std::vector<Answer<void>> answers(10);
  for (auto& answer : answers) {
    store_->sealed().Want(Id("a"), For(seconds(20)), answer.callback());
  }
  all_asked.set_value();
  for (auto& answer : answers) EXPECT_TRUE(answer.Get());
  EXPECT_EQ(tier_->gets(), 1);
  EXPECT_EQ(Read("a"), Bytes("a", kMiB));
}

TEST_F(RetrieverTest, WhatWasCarriedOnceIsNotCarriedAgain) {
  const ObjectRef a = PutLarge("a");
  SendElsewhere(a);
  EXPECT_TRUE(Want("a"));
  SendElsewhere(a);
  EXPECT_EQ(tier_->puts(), 1);
  EXPECT_EQ(ReadWanted("a"), Bytes("a", kMiB));
}

TEST_F(RetrieverTest, WhatIsDeletedElsewhereIsForgotten) {
  const ObjectRef a = PutLarge("a");
  SendElsewhere(a);
  EXPECT_TRUE(store_->sealed().Delete(a, {}));
  EXPECT_FALSE(Want("a"));
  for (int i = 0; i < 500 && tier_->kept() > 0; ++i) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_EQ(tier_->kept(), 0u);
  ExpectUsedSoon(0);
}

TEST_F(RetrieverTest, WhatIsDeletedOnItsWayBackStaysDeleted) {
  const ObjectRef a = PutLarge("a");
  SendElsewhere(a);
  tier_->OnGet(
      [&](const ObjectInfo&) { return store_->sealed().Delete(a, {}); });
  const Status want = Want("a");
  ASSERT_FALSE(want);
  EXPECT_EQ(want.error().code, Code::kNotFound);
  ExpectUsedSoon(0);
}

TEST_F(RetrieverTest, WhatIsDeletedOnItsWayOutIsForgotten) {
  const ObjectRef a = PutLarge("a");
  tier_->OnPut(
      [&](const ObjectInfo&) { return store_->sealed().Delete(a, {}); });
  EXPECT_TRUE(Evict(kMiB));
  EXPECT_EQ(tier_->kept(), 0u);
  EXPECT_EQ(tier_->puts(), 1);
}

TEST_F(RetrieverTest, WhatIsWantedOnItsWayOutStays) {
  const ObjectRef a = PutLarge("a");
  tier_->OnPut([&](const ObjectInfo&) {
    tier_->OnPut({});
    return Want("a");
  });
  EXPECT_EQ(*Evict(1), 0u);
  EXPECT_FALSE(IsElsewhere(a));
  EXPECT_EQ(Read("a"), Bytes("a", kMiB));
}

TEST_F(RetrieverTest, WhatIsOpenedOnItsWayOutStays) {
  const ObjectRef a = PutLarge("a");
  UniqueFd reader;
  tier_->OnPut([&](const ObjectInfo&) {
    reader = *store_->objects().OpenForReading(a);
    return Status();
  });
  EXPECT_EQ(*Evict(1), 0u);
  EXPECT_FALSE(IsElsewhere(a));
}

TEST_F(RetrieverTest, AFullTierLosesNothing) {
  tier_->OnPut([](const ObjectInfo&) {
    return Status(Error{Code::kIoError, "no space left on device"});
  });
  for (int i = 0; i < 7; ++i) PutLarge("o" + std::to_string(i));
  Answer<ObjectRef> refused;
  store_->memory().CreateSized(Id("more"), 2 * kMiB, {}, For(milliseconds(100)),
                               refused.callback());
  const auto answer = refused.Get();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kOutOfMemory);
  for (int i = 0; i < 7; ++i) {
    const std::string id = "o" + std::to_string(i);
    EXPECT_EQ(Read(id), Bytes(id, kMiB));
  }
}

TEST_F(RetrieverTest, ATierThatFailsOnceIsAskedAgain) {
  const ObjectRef a = PutLarge("a");
  SendElsewhere(a);
  tier_->OnGet([](const ObjectInfo&) {
    return Status(Error{Code::kIoError, "input/output error"});
  });
  const Status failed = Want("a");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kIoError);
  EXPECT_TRUE(IsElsewhere(a));
  tier_->OnGet({});
  EXPECT_EQ(ReadWanted("a"), Bytes("a", kMiB));
}

TEST_F(RetrieverTest, WhatTheTierHasLostIsNotTakenForDeleted) {
  const ObjectRef a = PutLarge("a");
  SendElsewhere(a);
  tier_->Forget(store_->objects().Info(a).number);
  const Status lost = Want("a");
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, Code::kCorruption);
  EXPECT_TRUE(IsElsewhere(a));
}

TEST_F(RetrieverTest, SmallOnesComeBackToAStoreThatTakesNoNewOnes) {
  Put("a", Bytes("a", 1000));
  WorkAndDie([this] { Put("b", Bytes("b", 1000)); });
  options_.strict = true;
  Restart();
  const ObjectRef b = *store_->sealed().FindSealed(Id("b"));
  SendElsewhere(b);
  EXPECT_EQ(ReadWanted("b"), Bytes("b", 1000));
}

TEST_F(RetrieverTest, OneWithoutTimeFailsAloneWhenThereIsNoMemory) {
  const ObjectRef a = PutLarge("a", 2 * kMiB);
  SendElsewhere(a);
  std::vector<ObjectRef> held;
  for (int i = 0; i < 7; ++i) {
    held.push_back(PutLarge("held" + std::to_string(i)));
    EXPECT_TRUE(store_->sealed().SetHold(held.back(), true, {}));
  }
  // Else it may go again before it is read: nothing else can.
  EXPECT_TRUE(store_->sealed().SetHold(a, true, {}));
  Answer<void> hasty;
  Answer<void> patient;
  store_->sealed().Want(Id("a"), For(milliseconds(50)), hasty.callback());
  store_->sealed().Want(Id("a"), For(seconds(20)), patient.callback());
  const auto failed = hasty.Get();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kOutOfMemory);
  EXPECT_TRUE(IsElsewhere(a));
  EXPECT_TRUE(store_->sealed().Delete(held[0], {}));
  EXPECT_TRUE(store_->sealed().Delete(held[1], {}));
  EXPECT_TRUE(patient.Get());
  EXPECT_EQ(Read("a"), Bytes("a", 2 * kMiB));
}

TEST_F(RetrieverTest, ThoseWhoWaitHearOfTheEnd) {
  const ObjectRef a = PutLarge("a", 2 * kMiB);
  SendElsewhere(a);
  for (int i = 0; i < 7; ++i) {
    EXPECT_TRUE(store_->sealed().SetHold(PutLarge("held" + std::to_string(i)),
                                         true, {}));
  }
  std::vector<Answer<void>> answers(1000);
  for (auto& answer : answers) {
    store_->sealed().Want(Id("a"), {}, answer.callback());
  }
  store_.reset();
  for (auto& answer : answers) EXPECT_FALSE(answer.Get());
}

TEST_F(RetrieverTest, NothingIsLostOrMixedUpUnderLoad) {
  constexpr int kObjects = 40;
  for (int i = 0; i < kObjects; ++i) {
    const std::string id = "o" + std::to_string(i);
    if (i % 2 == 0) {
      PutLarge(id, 300'000 + static_cast<uint64_t>(i) * 1111);
    } else {
      Put(id, Bytes(id, 10'000 + static_cast<uint64_t>(i)));
    }
  }
  std::atomic<int> wrong{0};
  std::vector<std::thread> readers;
  for (unsigned seed = 0; seed < 4; ++seed) {
    readers.emplace_back([&, seed] {
      std::mt19937 random(seed);
      for (int round = 0; round < 200; ++round) {
        const int i = static_cast<int>(random() % kObjects);
        const std::string id = "o" + std::to_string(i);
        const uint64_t size = i % 2 == 0
                                  ? 300'000 + static_cast<uint64_t>(i) * 1111
                                  : 10'000 + static_cast<uint64_t>(i);
        std::string got;
        // It may go again between the question and the reading.
        for (int tries = 0; tries < 100 && got.size() != size; ++tries) {
          got = ReadWanted(id);
        }
        if (got != Bytes(id, size)) ++wrong;
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(store_->facts().GetUsage().sealed_objects,
            static_cast<uint64_t>(kObjects));
}

}  // namespace
}  // namespace vitrine::store
