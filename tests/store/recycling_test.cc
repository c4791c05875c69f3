// Memory of deleted and evicted objects, which new ones get.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "store/index/client_registry.h"
#include "tests/store/object_store_fixture.h"

namespace vitrine::store {
namespace {

class RecyclingTest : public ObjectStoreTest {
 protected:
  nlohmann::json Pool() { return store_->facts().StatusJson()["pool"]; }
  uint64_t PoolBytes() { return Pool()["bytes"]; }
  uint64_t Reused() { return Pool()["reused"]; }

  void CreateAndDelete(const std::string& id, uint64_t size_bytes) {
    CreateAndDeleteBeside(id, size_bytes, 0);
  }
  void CreateAndDeleteBeside(const std::string& id, uint64_t size_bytes,
                             uint64_t others_bytes) {
    const ObjectRef object = CreateSealed(id, size_bytes);
    ASSERT_TRUE(store_->sealed().Delete(object, {}));
    ExpectUsedSoon(others_bytes);
  }
};

TEST_F(RecyclingTest, ADeletedObjectsMemoryIsForTheNext) {
  CreateAndDelete("x", 4 * kMiB);
  EXPECT_EQ(PoolBytes(), 4 * kMiB);
  EXPECT_EQ(store_->facts().StatusJson()["free_bytes"], kCapacity);
  const ObjectRef next = CreateSealed("y", 4 * kMiB);
  EXPECT_EQ(Reused(), 1u);
  EXPECT_EQ(PoolBytes(), 0u);
  EXPECT_EQ(used_bytes(), 4 * kMiB);
  EXPECT_EQ(store_->objects().Info(next).size_bytes, 4 * kMiB);
  EXPECT_EQ(Read(next, 1), "y");
}

// A reader of another user may keep pages, and would read the next object in
// them before it is sealed.
TEST_F(RecyclingTest, WhatAnotherUserCouldReadIsNot) {
  auto other = store_->events().clients().Add({"other", 1, 54321, {}});
  ASSERT_TRUE(other);
  CreateAndDelete("x", 4 * kMiB);
  EXPECT_EQ(PoolBytes(), 0u);
  CreateSealed("y", 4 * kMiB);
  store_->events().clients().Remove(other->client);
  ASSERT_TRUE(
      store_->sealed().Delete(*store_->sealed().FindSealed(Id("y")), {}));
  ExpectUsedSoon(0);
  EXPECT_EQ(PoolBytes(), 0u);
  CreateAndDelete("z", 4 * kMiB);  // Sealed after the other one has left.
  EXPECT_EQ(PoolBytes(), 4 * kMiB);
}

TEST_F(RecyclingTest, WhatOnlyItsOwnerCouldReadIs) {
  ASSERT_TRUE(store_->events().clients().Add({"other", 1, 54321, {}}));
  const ObjectRef object = Create("x", 4 * kMiB);
  ASSERT_TRUE(store_->unsealed().SetMode(object, 0600));
  ASSERT_TRUE(SealNow(store_.get(), object, Id("x")));
  ASSERT_TRUE(store_->sealed().Delete(object, {}));
  ExpectUsedSoon(0);
  EXPECT_EQ(PoolBytes(), 4 * kMiB);
}

TEST_F(RecyclingTest, AnEvictedObjectsMemoryIsForTheNext) {
  for (int i = 0; i < 10; ++i) {
    CreateSealed(std::to_string(i), 8 * kMiB);
  }
  EXPECT_GT(Reused(), 0u);
  EXPECT_LE(used_bytes() + PoolBytes(), kCapacity);
}

// Objects that are larger than the pool.
class WaitingForTest : public RecyclingTest {
 protected:
  uint64_t HandedOver() { return Pool()["handed_over"]; }
};

TEST_F(WaitingForTest, TheEvictedSegmentGoesToTheObjectThatWaits) {
  CreateSealed("a", 40 * kMiB);
  const ObjectRef b = CreateSealed("b", 40 * kMiB);
  EXPECT_EQ(HandedOver(), 1u);
  EXPECT_TRUE(store_->objects().Info(b).recycled);
  EXPECT_EQ(used_bytes(), 40 * kMiB);
  EXPECT_EQ(Read(b, 1), "b");
  EXPECT_FALSE(store_->sealed().FindSealed(Id("a")));
}

TEST_F(WaitingForTest, ItIsCutToTheObject) {
  CreateSealed("a", 40 * kMiB);
  const ObjectRef b = CreateSealed("b", 30 * kMiB + 5);
  EXPECT_EQ(HandedOver(), 1u);
  EXPECT_EQ(store_->objects().Info(b).size_bytes, 30 * kMiB + 5);
  EXPECT_EQ(Read(b, 30 * kMiB + 5).size(), 30 * kMiB + 5);
  EXPECT_EQ(used_bytes(), 30 * kMiB + 4096);
}

TEST_F(WaitingForTest, AnObjectOfAnotherModeGetsNewMemory) {
  CreateSealed("a", 40 * kMiB);
  Answer<ObjectRef> created;
  store_->memory().CreateSized(Id("b"), 40 * kMiB, {.mode = 0600},
                               WaitFor(std::chrono::seconds(10)),
                               created.callback());
  const auto b = created.Get();
  ASSERT_TRUE(b);
  EXPECT_EQ(HandedOver(), 0u);
  EXPECT_EQ(Read(*b, 1), std::string(1, '\0'));
}

TEST_F(WaitingForTest, SmallObjectsGetTheSlabThatGoes) {
  const std::string data(60'000, 's');
  std::vector<UniqueFd> in_use;
  Answer<void> room;
  for (int i = 0;; ++i) {
    const SmallObject small{Id(std::to_string(i)), 0644,
                            std::as_bytes(std::span(data))};
    std::vector<Status> results;
    store_->small().PutSmall({}, {&small, 1}, &results);
    if (!results.empty()) {
      in_use.push_back(*store_->objects().OpenForReading(
          *store_->sealed().FindSealed(small.id)));
      continue;
    }
    Answer<void> now;
    store_->small().AddRoom(NoWait(), now.callback());
    if (now.Get()) continue;
    store_->small().AddRoom(WaitFor(std::chrono::seconds(10)), room.callback());
    break;
  }
  EXPECT_EQ(HandedOver(), 0u);
  in_use.clear();
  EXPECT_TRUE(room.Get());
  EXPECT_EQ(HandedOver(), 1u);
  EXPECT_LE(used_bytes() + PoolBytes(), kCapacity);
}

TEST_F(RecyclingTest, ItMayGrowAndShrink) {
  CreateAndDelete("x", 4 * kMiB);
  const ObjectRef larger = CreateSealed("larger", 6 * kMiB + 5);
  EXPECT_EQ(Reused(), 1u);
  EXPECT_EQ(Read(larger, 6 * kMiB + 5).size(), 6 * kMiB + 5);
  EXPECT_EQ(used_bytes(), 6 * kMiB + 4096);
  ASSERT_TRUE(store_->sealed().Delete(larger, {}));
  ExpectUsedSoon(0);
  const ObjectRef smaller = CreateSealed("smaller", 3 * kMiB + 5);
  EXPECT_EQ(Reused(), 2u);
  EXPECT_EQ(Read(smaller, 3 * kMiB + 5).size(), 3 * kMiB + 5);
  EXPECT_EQ(store_->objects().Info(smaller).size_bytes, 3 * kMiB + 5);
  EXPECT_EQ(used_bytes(), 3 * kMiB + 4096);
}

TEST_F(RecyclingTest, OnlyWhatHasNoNewPagesIsCalledRecycled) {
  EXPECT_FALSE(store_->objects().Info(Create("new", kMiB)).recycled);
  CreateAndDeleteBeside("x", 4 * kMiB, kMiB);
  const ObjectRef smaller = Create("smaller", 3 * kMiB);
  EXPECT_EQ(Reused(), 1u);
  EXPECT_TRUE(store_->objects().Info(smaller).recycled);
  CreateAndDeleteBeside("y", 4 * kMiB, 4 * kMiB);
  const ObjectRef larger = Create("larger", 6 * kMiB);
  EXPECT_EQ(Reused(), 2u);
  EXPECT_FALSE(store_->objects().Info(larger).recycled);
}

TEST_F(RecyclingTest, WhatWasNeverSealedIsNotRecycled) {
  const ObjectRef object = Create("x", kMiB);
  ASSERT_TRUE(store_->unsealed().Abort(object));
  ExpectUsedSoon(0);
  EXPECT_EQ(PoolBytes(), 0u);
}

TEST_F(RecyclingTest, AnObjectOfUnknownSizeReadsAsZeros) {
  CreateAndDelete("x", kMiB);
  const auto object =
      store_->unsealed().Create(Id("y"), {.through_mount = true});
  ASSERT_TRUE(object);
  Answer<void> resized;
  store_->memory().Resize(*object, kMiB, NoWait(), resized.callback());
  ASSERT_TRUE(resized.Get());
  EXPECT_EQ(Reused(), 0u);
  EXPECT_EQ(Read(*object, kMiB), std::string(kMiB, '\0'));
}

TEST_F(RecyclingTest, AnotherModeGetsNewMemory) {
  CreateAndDelete("x", kMiB);
  Answer<ObjectRef> created;
  store_->memory().CreateSized(Id("y"), kMiB, {.mode = 0600}, NoWait(),
                               created.callback());
  const auto object = created.Get();
  ASSERT_TRUE(object);
  EXPECT_EQ(Reused(), 0u);
  EXPECT_EQ(Read(*object, kMiB), std::string(kMiB, '\0'));
}

TEST_F(RecyclingTest, WhoeverHasItMappedKeepsWhatItWas) {
  const ObjectRef object = CreateSealed("x", kMiB);
  Result<Mapping> mapping = Error{Code::kNotFound, ""};
  {
    auto fd = store_->objects().OpenForReading(object);
    ASSERT_TRUE(fd);
    mapping = Mapping::Map(fd->get(), kMiB, PROT_READ);
  }
  ASSERT_TRUE(mapping);
  ASSERT_TRUE(store_->sealed().Delete(object, {}));
  CreateSealed("y", kMiB);
  EXPECT_EQ(Reused(), 0u);
  EXPECT_EQ(mapping->data()[0], std::byte{'x'});
  *mapping = Mapping();
  ExpectUsedSoon(kMiB);
  EXPECT_EQ(PoolBytes(), kMiB);
}

TEST_F(RecyclingTest, WhatTheStoresUserHasOpenIsChargedUntilHeClosesIt) {
  CreateAndDelete("x", kMiB);
  const std::filesystem::directory_iterator retired(dir_ + "/memory/retired");
  ASSERT_NE(retired, end(retired));
  UniqueFd spy(::open(retired->path().c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(spy.valid());
  const ObjectRef next = CreateSealed("y", kMiB);
  EXPECT_EQ(used_bytes(), 2 * kMiB);
  EXPECT_EQ(PoolBytes(), 0u);
  spy = UniqueFd();
  ExpectUsedSoon(kMiB);
}

TEST_F(RecyclingTest, WhoseNameWasToldIsNotRecycled) {
  const ObjectRef object = CreateSealed("x", kMiB);
  EXPECT_FALSE(store_->objects().SegmentPath(object).empty());
  ASSERT_TRUE(store_->sealed().Delete(object, {}));
  ExpectUsedSoon(0);
  EXPECT_EQ(PoolBytes(), 0u);
}

TEST_F(RecyclingTest, ThePoolGoesBeforeAnObjectIsEvicted) {
  CreateAndDelete("x", 8 * kMiB);
  EXPECT_EQ(PoolBytes(), 8 * kMiB);
  CreateSealed("stays", 40 * kMiB);
  EXPECT_TRUE(TryCreate("y", 20 * kMiB, NoWait()));
  EXPECT_EQ(PoolBytes(), 0u);
  EXPECT_TRUE(store_->sealed().FindSealed(Id("stays")));
}

TEST_F(RecyclingTest, AnIdTakenMeanwhileCostsNothing) {
  CreateAndDelete("x", kMiB);
  CreateSealed("y", kMiB / 16);
  EXPECT_EQ(TryCreate("y", kMiB, NoWait()).error().code, Code::kAlreadyExists);
  EXPECT_EQ(PoolBytes(), kMiB);
  EXPECT_EQ(used_bytes(), kMiB / 16);
}

TEST_F(RecyclingTest, APoolOfSizeZeroIsNone) {
  options_.pool_bytes = 0;
  Restart();
  CreateAndDelete("x", kMiB);
  EXPECT_EQ(PoolBytes(), 0u);
  EXPECT_TRUE(std::filesystem::is_empty(dir_ + "/memory/retired"));
}

TEST_F(RecyclingTest, NobodyElseCanLookAtWhatIsRetired) {
  const auto status = std::filesystem::status(dir_ + "/memory/retired");
  EXPECT_EQ(status.permissions(), std::filesystem::perms::owner_all);
}

}  // namespace
}  // namespace vitrine::store
