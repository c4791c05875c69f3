// Slabs that are nearly empty give their memory back.
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/store/table/small_objects_fixture.h"
#include "tests/support/eventually.h"

namespace vitrine::store {
namespace {

constexpr int kObjects = 600;
constexpr int kKeptOneIn = 10;

std::string Content(int i) {
  return std::string(1500 + static_cast<size_t>(i % 100),
                     static_cast<char>('a' + i % 26));
}

class CompactionTest : public SmallObjects {
 protected:
  void PutAll() {
    for (int i = 0; i < kObjects; ++i) Put(std::to_string(i), Content(i));
  }

  void DeleteMost() {
    for (int i = 0; i < kObjects; ++i) {
      if (i % kKeptOneIn == 0) continue;
      EXPECT_TRUE(store_->sealed().Delete(
          *store_->sealed().FindSealed(Id(std::to_string(i))), {}));
    }
  }

  // `slabs` or fewer are left; each round looks at all.
  bool AreCompactedTo(uint64_t slabs) {
    return Eventually([&] { return slab_count() <= slabs; });
  }

  void ExpectTheRest() {
    for (int i = 0; i < kObjects; i += kKeptOneIn) {
      EXPECT_EQ(Read(std::to_string(i)), Content(i)) << i;
    }
    EXPECT_EQ(slabs().at("objects"), kObjects / kKeptOneIn);
  }

  uint64_t moved() { return slabs().at("moved_objects").get<uint64_t>(); }
};

TEST_F(CompactionTest, WhatLivesMovesTogetherAndTheRestComesBack) {
  PutAll();
  ASSERT_GE(slab_count(), 8u);
  DeleteMost();
  EXPECT_TRUE(AreCompactedTo(2));
  EXPECT_GT(moved(), 0u);
  EXPECT_TRUE(Eventually([this] {
    return used_bytes() ==
           slab_count() * kSlabBytes + kObjects / kKeptOneIn * kOverhead;
  })) << used_bytes();
  ExpectTheRest();
}

TEST_F(CompactionTest, WhoeverReadsOneThroughTheMountGoesOnWhereItWas) {
  PutAll();
  const ObjectRef object = *store_->sealed().FindSealed(Id("10"));
  auto shared = store_->objects().Share(object);
  ASSERT_TRUE(shared);
  const uint64_t segment = store_->objects().Info(object).segment();
  DeleteMost();
  EXPECT_TRUE(AreCompactedTo(3));
  EXPECT_EQ(store_->objects().Info(object).segment(), segment);
  *shared = nullptr;
  NewSlab();  // One with room.
  EXPECT_TRUE(Eventually(
      [&] { return store_->objects().Info(object).segment() != segment; }));
  ExpectTheRest();
}

TEST_F(CompactionTest, ADescriptorOfTheOldSlabReadsTheOldBytes) {
  PutAll();
  const ObjectRef object = *store_->sealed().FindSealed(Id("10"));
  auto fd = store_->objects().OpenForReading(object);
  ASSERT_TRUE(fd);
  const uint64_t offset = store_->objects().Info(object).offset_bytes;
  DeleteMost();
  EXPECT_TRUE(AreCompactedTo(2));
  ASSERT_GT(moved(), 0u);
  for (int i = 1; i < kObjects; i += kKeptOneIn) {
    Put(std::to_string(i), Content(i + 1));
  }
  std::string bytes(Content(10).size(), '\0');
  EXPECT_EQ(::pread(fd->get(), bytes.data(), bytes.size(),
                    static_cast<off_t>(offset)),
            static_cast<ssize_t>(bytes.size()));
  EXPECT_EQ(bytes, Content(10));
}

TEST_F(CompactionTest, MetadataMovesAlong) {
  const Metadata metadata = {{"shape", "3,4"}};
  ASSERT_NO_FATAL_FAILURE(WorkAndDie([&] {
    PutLabelled("labelled", "x", metadata);
    PutAll();
    DeleteMost();
    if (!AreCompactedTo(2)) ::_exit(1);
    if (MetadataOfSealed("labelled") != metadata) ::_exit(2);
  }));
  Restart();
  EXPECT_EQ(MetadataOfSealed("labelled"), metadata);
}

TEST_F(CompactionTest, WhatIsHeldStaysHeld) {
  PutAll();
  ASSERT_TRUE(store_->sealed().SetHold(*store_->sealed().FindSealed(Id("10")),
                                       true, {}));
  DeleteMost();
  EXPECT_TRUE(AreCompactedTo(2));
  ASSERT_GT(moved(), 0u);
  ASSERT_TRUE(Evict(kCapacity));
  EXPECT_EQ(Read("10"), Content(10));
  ASSERT_TRUE(store_->sealed().SetHold(*store_->sealed().FindSealed(Id("10")),
                                       false, {}));
  ASSERT_TRUE(Evict(kCapacity));
  EXPECT_FALSE(store_->sealed().FindSealed(Id("10")));
  ExpectUsedSoon(0);
}

TEST_F(CompactionTest, ALoneSparseSlabIsNotMovedIntoANewOne) {
  Put("a", "alone");
  NewSlab();
  Put("b", "b");
  ASSERT_TRUE(Evict(1));  // The slab of `a`, the older one; `b` is in the open.
  EXPECT_FALSE(store_->sealed().FindSealed(Id("a")));
  // Two of the housekeeper's rounds, of which nothing else tells.
  LetPass(std::chrono::milliseconds(1200));
  EXPECT_EQ(moved(), 0u);
  EXPECT_EQ(Read("b"), "b");
}

TEST_F(CompactionTest, WhatIsLargerThanThisStorePutsIntoSlabsMovesToo) {
  ASSERT_NO_FATAL_FAILURE(WorkAndDie([this] {
    PutAll();
    DeleteMost();
  }));
  options_.dedicated_threshold_bytes = 512;
  Restart();
  Put("small", "small");
  EXPECT_TRUE(AreCompactedTo(2));
  for (int i = 0; i < kObjects; i += kKeptOneIn) {
    EXPECT_EQ(Read(std::to_string(i)), Content(i)) << i;
  }
}

TEST_F(CompactionTest, AKilledStoreFindsWhatWasMoved) {
  ASSERT_NO_FATAL_FAILURE(WorkAndDie([this] {
    PutAll();
    DeleteMost();
    if (!Eventually([this] { return moved() > 0; })) ::_exit(1);
  }));
  Restart();
  ExpectTheRest();
  EXPECT_TRUE(AreCompactedTo(2));
  ExpectTheRest();
}

}  // namespace
}  // namespace vitrine::store
