// Small objects, which share segments, through the store's interface.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "schema/base/mapping.h"
#include "store/index/client_registry.h"
#include "store/segments/segment_file.h"
#include "tests/store/table/small_objects_fixture.h"
#include "tests/support/eventually.h"

namespace vitrine::store {
namespace {

std::string Content(int i) {
  return std::string(static_cast<size_t>(i % 300),
                     static_cast<char>('a' + i % 26));
}

using SmallObjectsTest = SmallObjects;

TEST_F(SmallObjectsTest, WithoutRoomNothingIsPut) {
  const std::string data = "data";
  const SmallObject object{Id("a"), 0644, std::as_bytes(std::span(data))};
  std::vector<Status> results;
  store_->small().PutSmall({}, {&object, 1}, &results);
  EXPECT_TRUE(results.empty());
  EXPECT_FALSE(store_->sealed().FindSealed(Id("a")));
}

TEST_F(SmallObjectsTest, AnIdIsPutOnce) {
  Put("a", "first");
  EXPECT_EQ(TryPut("a", "second").error().code, Code::kAlreadyExists);
  ASSERT_TRUE(store_->unsealed().Create(Id("unsealed"), {}));
  EXPECT_EQ(TryPut("unsealed", "x").error().code, Code::kAlreadyExists);
  EXPECT_EQ(Read("a"), "first");
  EXPECT_FALSE(store_->unsealed().Create(Id("a"), {}));
}

TEST_F(SmallObjectsTest, AnIdIsPutOnceWithinABatch) {
  ASSERT_TRUE(AddRoom(std::chrono::seconds(1)));
  const std::string data = "12";
  const auto bytes = std::as_bytes(std::span(data));
  const std::vector<SmallObject> objects = {{Id("a"), 0644, bytes.first(1)},
                                            {Id("a"), 0644, bytes.last(1)},
                                            {Id("b"), 0644, bytes}};
  std::vector<Status> results;
  store_->small().PutSmall({}, objects, &results);
  ASSERT_EQ(results.size(), 3u);
  EXPECT_TRUE(results[0]);
  EXPECT_EQ(results[1].error().code, Code::kAlreadyExists);
  EXPECT_TRUE(results[2]);
  EXPECT_EQ(Read("a"), "1");
  EXPECT_EQ(Read("b"), "12");
}

TEST_F(SmallObjectsTest, ManyShareASegmentAndEachHasItsBytes) {
  for (int i = 0; i < 1000; ++i) {
    Put("object-" + std::to_string(i), Content(i));
  }
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(Read("object-" + std::to_string(i)), Content(i));
  }
  EXPECT_EQ(slabs().at("objects"), 1000);
  EXPECT_LE(slab_count(), 3u);
  EXPECT_EQ(used_bytes(), slab_count() * kSlabBytes + 1000 * kOverhead);
  EXPECT_EQ(store_->objects().List(ObjectState::kSealed).size(), 1000u);
}

TEST_F(SmallObjectsTest, MetadataIsKeptAndCharged) {
  const Metadata metadata = {{"shape", "3,4"}, {"none", ""}};
  Put("plain", "x");
  const uint64_t before = used_bytes();
  PutLabelled("a", "bytes", metadata);
  EXPECT_EQ(MetadataOfSealed("a"), metadata);
  EXPECT_TRUE(MetadataOfSealed("plain").empty());
  EXPECT_EQ(slabs().at("objects"), 2);
  EXPECT_GE(used_bytes(), before + kOverhead + MetadataBytes(metadata));
  ASSERT_TRUE(
      store_->sealed().Delete(*store_->sealed().FindSealed(Id("a")), {}));
  ExpectUsedSoon(before);
}

// Held objects cannot be evicted.
TEST_F(SmallObjectsTest, MetadataWaitsForMemoryToo) {
  const Metadata much = {{"key", std::string(4000, 'x')}};
  Status put;
  int sealed = 0;
  for (; put && sealed < 5000; ++sealed) {
    const std::string id = std::to_string(sealed);
    put = TryPut(id, "", std::chrono::milliseconds(200), much);
    if (!put) break;
    (void)HoldIfThere(id);
  }
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code, Code::kOutOfMemory);
  EXPECT_GT(sealed, 100);
  EXPECT_LE(used_bytes(), kCapacity + 2 * kSlabBytes);
}

TEST_F(SmallObjectsTest, MetadataOutlivesAKilledStore) {
  const Metadata metadata = {{"shape", "3,4"}};
  WorkAndDie([&] {
    Put("plain", "x");
    PutLabelled("a", "bytes", metadata);
  });
  Restart();
  EXPECT_EQ(Read("a"), "bytes");
  EXPECT_EQ(MetadataOfSealed("a"), metadata);
  EXPECT_TRUE(MetadataOfSealed("plain").empty());
}

// The first slab is made before the first record.
TEST_F(SmallObjectsTest, AStoreThatIsKilledBeforeItsFirstSealStartsAgain) {
  WorkAndDie([this] {
    EXPECT_TRUE(AddRoom(std::chrono::seconds(20)));
    ASSERT_EQ(slab_count(), 1u);
  });
  Restart();
  Put("a", "bytes");
  EXPECT_EQ(Read("a"), "bytes");
}

TEST_F(SmallObjectsTest, TheSegmentIsReadableAndNobodyCanWriteIt) {
  Put("a", "bytes");
  const ObjectRef object = *store_->sealed().FindSealed(Id("a"));
  struct stat info;
  ASSERT_EQ(::stat(store_->objects().SegmentPath(object).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0444u);
  EXPECT_EQ(
      store_->unsealed().OpenForWriting(object, kStoreItself).error().code,
      Code::kNotPermitted);
}

TEST_F(SmallObjectsTest, ASlabGoesWithItsLastObject) {
  const std::string half(kSlabBytes / 16, 'x');
  for (int i = 0; i < 33; ++i) Put(std::to_string(i), half);
  ASSERT_EQ(slab_count(), 3u);
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(slab_count(), 3u);
    EXPECT_TRUE(store_->sealed().Delete(
        *store_->sealed().FindSealed(Id(std::to_string(i))), {}));
  }
  EXPECT_EQ(slab_count(), 2u);
  ExpectUsedSoon(2 * kSlabBytes + 17 * kOverhead);
  EXPECT_EQ(Read("16"), half);
}

TEST_F(SmallObjectsTest, AnEmptyOpenSlabIsGivenBackWhenIdle) {
  Put("a", "x");
  EXPECT_EQ(used_bytes(), kSlabBytes + kOverhead);
  ASSERT_TRUE(
      store_->sealed().Delete(*store_->sealed().FindSealed(Id("a")), {}));
  ExpectUsedSoon(0);
  Put("b", "y");
  EXPECT_EQ(Read("b"), "y");
}

TEST_F(SmallObjectsTest, WhoeverHasADeadSlabMappedReadsOn) {
  Put("a", "still here");
  const ObjectRef object = *store_->sealed().FindSealed(Id("a"));
  auto fd = store_->objects().OpenForReading(object);
  ASSERT_TRUE(fd);
  auto mapping = Mapping::Map(fd->get(), kSlabBytes, PROT_READ);
  ASSERT_TRUE(mapping);
  *fd = UniqueFd();
  const uint64_t offset = store_->objects().Info(object).offset_bytes;
  ASSERT_TRUE(store_->sealed().Delete(object, {}));
  NewSlab();
  Put("b", "other bytes");
  EXPECT_EQ(std::string(reinterpret_cast<char*>(mapping->data() + offset), 10),
            "still here");
  ExpectUsedSoon(2 * kSlabBytes + 2 * kOverhead);
  *mapping = Mapping();
  ExpectUsedSoon(kSlabBytes + kOverhead);
}

TEST_F(SmallObjectsTest, WhoeverHasItOpenKnowsItsBoundsAfterItsDeletion) {
  Put("a", "first");
  Put("b", "second");
  const ObjectRef object = *store_->sealed().FindSealed(Id("b"));
  const ObjectInfo before = store_->objects().Info(object);
  ASSERT_TRUE(store_->sealed().Delete(object, {}));
  const ObjectInfo after = store_->objects().Info(object);
  EXPECT_TRUE(after.in_slab());
  EXPECT_EQ(after.offset_bytes, before.offset_bytes);
  EXPECT_EQ(after.size_bytes, before.size_bytes);
}

TEST_F(SmallObjectsTest, MoreThanFitsEvictsTheOldest) {
  const std::string data(1000, 'x');
  const int count = static_cast<int>(2 * kCapacity / 1024);
  for (int i = 0; i < count; ++i) Put(std::to_string(i), data);
  EXPECT_FALSE(store_->sealed().FindSealed(Id("0")));
  EXPECT_EQ(Read(std::to_string(count - 1)), data);
  EXPECT_LE(used_bytes(), kCapacity);
}

TEST_F(SmallObjectsTest, EvictionTakesTheOpenSlabLast) {
  Put("a", "bytes");
  const auto freed = Evict(1);
  ASSERT_TRUE(freed);
  EXPECT_EQ(*freed, kSlabBytes + kOverhead);
  EXPECT_FALSE(store_->sealed().FindSealed(Id("a")));
  ExpectUsedSoon(0);
  Put("b", "new");
  EXPECT_EQ(Read("b"), "new");
}

TEST_F(SmallObjectsTest, HeldAndPinnedAndMappedOnesStay) {
  Put("held", "held");
  ASSERT_TRUE(store_->sealed().SetHold(*store_->sealed().FindSealed(Id("held")),
                                       true, {}));
  NewSlab();
  Put("mapped", "mapped");
  auto fd = store_->objects().OpenForReading(
      *store_->sealed().FindSealed(Id("mapped")));
  ASSERT_TRUE(fd);
  NewSlab();
  Put("open", "open");
  auto shared =
      store_->objects().Share(*store_->sealed().FindSealed(Id("open")));
  NewSlab();
  Put("free", "free");
  const auto freed = Evict(kCapacity);
  ASSERT_TRUE(freed);
  EXPECT_EQ(Read("held"), "held");
  EXPECT_EQ(Read("mapped"), "mapped");
  EXPECT_EQ(Read("open"), "open");
  EXPECT_TRUE(
      store_->objects().InUse(*store_->sealed().FindSealed(Id("open"))));
  *shared = nullptr;
  *fd = UniqueFd();
  EXPECT_TRUE(Evict(kCapacity));
  EXPECT_EQ(Read("held"), "held");
  EXPECT_FALSE(store_->sealed().FindSealed(Id("open")));
  EXPECT_FALSE(store_->sealed().FindSealed(Id("mapped")));
}

// It has twice the slabs, and the pool has those of before.
TEST_F(SmallObjectsTest, ALargerStoreDoesNotTakeTheSlabsOfASmallerOne) {
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(std::to_string(i));
  ASSERT_NO_FATAL_FAILURE(WorkAndDie([&] {
    for (const std::string& id : ids) Put(id, std::string(kSlabBytes / 8, 'a'));
  }));
  options_.capacity_bytes = 2 * kCapacity;
  Restart();
  for (const std::string& id : ids) {
    ASSERT_TRUE(
        store_->sealed().Delete(*store_->sealed().FindSealed(Id(id)), {}));
  }
  ExpectUsedSoon(0);
  ASSERT_GT(store_->facts().StatusJson()["pool"]["bytes"], 0u);
  for (const std::string& id : ids) {
    const std::string bytes(kSlabBytes / 4, 'b');
    Put(id, bytes);
    EXPECT_EQ(Read(id), bytes);
  }
}

TEST_F(SmallObjectsTest, RoomThatIsNotThereIsWaitedFor) {
  std::vector<ObjectRef> held;
  int count = 0;
  for (;; ++count) {
    const std::string id = std::to_string(count);
    const Status put =
        TryPut(id, std::string(8000, 'x'), std::chrono::milliseconds(50));
    if (!put) {
      EXPECT_EQ(put.error().code, Code::kOutOfMemory);
      break;
    }
    if (ObjectRef object = HoldIfThere(id)) held.push_back(std::move(object));
  }
  EXPECT_GT(held.size(), 900u);
  std::thread releaser([&] {
    EXPECT_TRUE(Eventually([this] {
      return store_->facts().StatusJson()["memory"]["waiters"] == 1;
    }));
    for (const ObjectRef& object : held) {
      EXPECT_TRUE(store_->sealed().SetHold(object, false, {}));
    }
  });
  Put("late", "late");
  releaser.join();
}

TEST_F(SmallObjectsTest, AKilledStoreLosesNone) {
  ASSERT_NO_FATAL_FAILURE(WorkAndDie([this] {
    for (int i = 0; i < 300; ++i) {
      Put(std::to_string(i), std::string(static_cast<size_t>(i), 'x'));
    }
    for (int i = 0; i < 100; ++i) {
      (void)store_->sealed().Delete(
          *store_->sealed().FindSealed(Id(std::to_string(2 * i))), {});
    }
    (void)store_->sealed().SetHold(*store_->sealed().FindSealed(Id("299")),
                                   true, {});
  }));
  Restart();
  EXPECT_EQ(slabs().at("objects"), 200);
  EXPECT_EQ(used_bytes(), slab_count() * kSlabBytes + 200 * kOverhead);
  for (int i = 0; i < 300; ++i) {
    const std::string id = std::to_string(i);
    const bool deleted = i < 200 && i % 2 == 0;
    if (!deleted) {
      EXPECT_EQ(Read(id), std::string(static_cast<size_t>(i), 'x')) << i;
    }
    EXPECT_EQ(store_->sealed().FindSealed(Id(id)).has_value(), !deleted) << i;
  }
  EXPECT_TRUE(
      store_->objects().Info(*store_->sealed().FindSealed(Id("299"))).hold);
  Put("new", "new");
  EXPECT_EQ(Read("new"), "new");
}

TEST_F(SmallObjectsTest, AStrictStoreTakesNone) {
  options_.strict = true;
  Restart();
  EXPECT_EQ(store_->small().small_object_bytes(), 0u);
  EXPECT_EQ(AddRoom(std::chrono::seconds(1)).error().code, Code::kUnsupported);
}

}  // namespace
}  // namespace vitrine::store
