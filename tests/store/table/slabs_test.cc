#include "store/table/slabs.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <filesystem>

#include "tests/support/scratch_dir.h"

namespace vitrine::store {
namespace {

constexpr uint64_t kSlabBytes = 64 << 10;

class SlabsTest : public testing::Test {
 protected:
  SegmentDir OpenDir() {
    std::filesystem::create_directory(dir_.path() + "/segments");
    return *SegmentDir::Open(dir_.path() + "/segments");
  }

  std::unique_ptr<Slab> Make(uint64_t segment) {
    EXPECT_TRUE(segments_.Create(segment));
    EXPECT_TRUE(segments_.SetSize(segment, kSlabBytes));
    const auto fd = segments_.OpenFresh(segment, O_RDWR);
    auto memory = Mapping::Map(fd->get(), kSlabBytes, PROT_READ | PROT_WRITE);
    return std::make_unique<Slab>(segment, std::move(*memory));
  }

  // A sealed object of `bytes` in the open slab.
  ObjectRef Put(uint64_t number, uint64_t bytes) {
    const std::vector<std::byte> data(bytes);
    auto object = std::make_shared<ObjectRecord>(
        ObjectInfo{.number = number,
                   .id = *ObjectId::FromText("o" + std::to_string(number)),
                   .state = ObjectState::kSealed,
                   .size_bytes = bytes,
                   .slab = slabs_.open()->segment(),
                   .offset_bytes = slabs_.open()->Place(data)});
    object->slab = slabs_.open();
    object->slot = static_cast<uint32_t>(number);
    slabs_.Add(*object);
    return object;
  }

  DroppedSegment Remove(const ObjectRef& object) {
    slabs_.Remove(*object);
    return slabs_.Leave(std::exchange(object->slab, nullptr));
  }

  ScratchDir dir_;
  SegmentDir segments_ = OpenDir();
  Residency residency_{&segments_};
  EvictionQueue evictable_{MakeLruPolicy()};
  Slabs slabs_{&residency_, &evictable_};
};

TEST_F(SlabsTest, WithoutASlabThereIsNoRoom) {
  EXPECT_FALSE(slabs_.HasRoom(0));
  EXPECT_EQ(slabs_.Close().number, 0u);
  EXPECT_EQ(slabs_.CloseIdle().number, 0u);
  EXPECT_FALSE(slabs_.WantsCompaction());
  EXPECT_EQ(slabs_.NextSparse(), nullptr);
}

// Invariant (1).
TEST_F(SlabsTest, AnEmptySlabGoesWhenItIsClosed) {
  EXPECT_EQ(slabs_.Open(Make(7)).number, 0u);
  EXPECT_TRUE(slabs_.HasRoom(kSlabBytes));
  const DroppedSegment dropped = slabs_.Open(Make(8));
  EXPECT_EQ(dropped.number, 7u);
  EXPECT_EQ(dropped.charged_bytes, kSlabBytes);
  EXPECT_EQ(slabs_.Find(7), nullptr);
  EXPECT_EQ(slabs_.size(), 1u);
}

// Invariant (1).
TEST_F(SlabsTest, AClosedSlabGoesWithItsLastObject) {
  slabs_.Open(Make(7));
  const ObjectRef a = Put(1, 100);
  const ObjectRef b = Put(2, 100);
  EXPECT_EQ(slabs_.Close().number, 0u);
  EXPECT_EQ(Remove(a).number, 0u);
  EXPECT_EQ(Remove(b).number, 7u);
  EXPECT_EQ(slabs_.size(), 0u);
  EXPECT_EQ(evictable_.size(), 0u);
}

TEST_F(SlabsTest, AnOpenSlabStaysWithoutObjects) {
  slabs_.Open(Make(7));
  EXPECT_EQ(Remove(Put(1, 100)).number, 0u);
  EXPECT_EQ(slabs_.open()->segment(), 7u);
}

TEST_F(SlabsTest, AnOpenSlabGoesWhenItIsFoundIdleTwice) {
  slabs_.Open(Make(7));
  EXPECT_EQ(slabs_.CloseIdle().number, 0u);
  (void)Remove(Put(1, 100));
  EXPECT_EQ(slabs_.CloseIdle().number, 0u);  // Something came in between.
  EXPECT_EQ(slabs_.CloseIdle().number, 7u);
}

// Invariant (2).
TEST_F(SlabsTest, AClosedSlabMayGoUnlessSomethingInItIsHeld) {
  slabs_.Open(Make(7));
  const ObjectRef object = Put(1, 100);
  EXPECT_EQ(evictable_.size(), 0u);
  slabs_.Close();
  EXPECT_EQ(evictable_.bytes(), kSlabBytes);
  slabs_.CountHold(object->slab, true);
  slabs_.CountHold(object->slab, true);
  EXPECT_EQ(evictable_.size(), 0u);
  slabs_.CountHold(object->slab, false);
  EXPECT_EQ(evictable_.size(), 0u);
  slabs_.CountHold(object->slab, false);
  EXPECT_EQ(evictable_.bytes(), kSlabBytes);
}

// Invariant (3).
TEST_F(SlabsTest, CountsWhatThereIs) {
  slabs_.Open(Make(7));
  const ObjectRef a = Put(1, 100);
  (void)Put(2, 100);
  slabs_.Open(Make(8));
  (void)Put(3, 100);
  EXPECT_EQ(slabs_.bytes(), 2 * kSlabBytes);
  EXPECT_EQ(slabs_.objects(), 3u);
  (void)Remove(a);
  EXPECT_EQ(slabs_.objects(), 2u);
}

TEST_F(SlabsTest, SparseSlabsTakeTurnsToBeCompacted) {
  for (const uint64_t segment : {uint64_t{7}, uint64_t{8}}) {
    slabs_.Open(Make(segment));
    (void)Put(segment, 100);
  }
  slabs_.Close();
  EXPECT_TRUE(slabs_.WantsCompaction());
  Slab* const first = slabs_.NextSparse();
  Slab* const second = slabs_.NextSparse();
  EXPECT_NE(first, second);
  EXPECT_EQ(slabs_.NextSparse(), first);
}

TEST_F(SlabsTest, ALoneSparseSlabIsOnlyWorthItIfThereIsRoom) {
  slabs_.Open(Make(7));
  (void)Put(1, 100);
  slabs_.Close();
  EXPECT_FALSE(slabs_.WantsCompaction());
  slabs_.Open(Make(8));
  EXPECT_TRUE(slabs_.WantsCompaction());
  (void)Put(2, kSlabBytes - 1024);
  EXPECT_FALSE(slabs_.WantsCompaction());
}

TEST_F(SlabsTest, ARestoredSlabInWhichNothingLivesIsDropped) {
  for (const uint64_t segment : {uint64_t{7}, uint64_t{8}}) (void)Make(segment);
  Slab* const kept = slabs_.Restore(7, kSlabBytes);
  (void)slabs_.Restore(8, kSlabBytes);
  kept->Add(1, 100);
  slabs_.EndRestore();
  EXPECT_EQ(slabs_.Find(7), kept);
  EXPECT_EQ(slabs_.Find(8), nullptr);
  EXPECT_EQ(evictable_.bytes(), kSlabBytes);
  EXPECT_FALSE(std::filesystem::exists(segments_.PathOf(8)));
}

}  // namespace
}  // namespace vitrine::store
