#include "store/table/residency.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "tests/store/table/table_parts.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::store {
namespace {

constexpr uint64_t kPage = 4096;

class ResidencyTest : public testing::Test {
 protected:
  SegmentDir OpenDir() {
    for (const char* name : {"/segments", "/retired"}) {
      std::filesystem::create_directory(dir_.path() + name);
    }
    return *SegmentDir::Open(dir_.path() + "/segments",
                             dir_.path() + "/retired");
  }

  // An object being written, with pages for its first `bytes`.
  ObjectRef MakeUnsealed(uint64_t number, uint64_t bytes) {
    EXPECT_TRUE(segments_.Create(number));
    EXPECT_TRUE(segments_.SetSize(number, bytes));
    EXPECT_TRUE(segments_.Reserve(number, 0, bytes));
    return MakeRecord(number, "a", ObjectState::kUnsealed);
  }

  bool Exists(const std::string& dir, uint64_t number) const {
    const std::filesystem::path path = segments_.PathOf(number);
    return std::filesystem::exists(dir_.path() + "/" + dir + "/" +
                                   path.filename().string());
  }

  ScratchDir dir_;
  SegmentDir segments_ = OpenDir();
  Residency residency_{&segments_};
};

// Invariant (1).
TEST_F(ResidencyTest, OneDescriptionIsSharedAsLongAsAnybodyHasIt) {
  const ObjectRef object = MakeUnsealed(1, kPage);
  auto first = residency_.Share(object.get());
  const auto second = residency_.Share(object.get());
  ASSERT_TRUE(first);
  ASSERT_TRUE(second);
  EXPECT_EQ(*first, *second);
  EXPECT_TRUE(residency_.IsOpen(object.get()));
}

TEST_F(ResidencyTest, WhatIsGoneIsNotShared) {
  const ObjectRef object = MakeUnsealed(1, kPage);
  object->state = ObjectState::kGone;
  const auto file = residency_.Share(object.get());
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, Code::kNotFound);
}

TEST_F(ResidencyTest, AWriterIsInTheWayOfASealUntilHeCloses) {
  const ObjectRef object = MakeUnsealed(1, kPage);
  {
    const auto writer = segments_.OpenFresh(1, O_RDWR);
    ASSERT_TRUE(writer);
    const Status refused = residency_.CheckNobodyWrites(object.get());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kInUse);
    EXPECT_TRUE(residency_.IsOpen(object.get()));
  }
  EXPECT_TRUE(residency_.CheckNobodyWrites(object.get()));
  EXPECT_FALSE(residency_.IsOpen(object.get()));
}

TEST_F(ResidencyTest, AWriterThatTheMountCountsIsInTheWay) {
  const ObjectRef object = MakeUnsealed(1, kPage);
  object->own->passthrough_writers = 1;
  EXPECT_FALSE(residency_.CheckNobodyWrites(object.get()));
}

// Invariant (2).
TEST_F(ResidencyTest, SettlingChargesWhatTheSegmentTakes) {
  const ObjectRef object = MakeUnsealed(1, 3 * kPage);
  object->own->charged_bytes = 5 * kPage;
  EXPECT_EQ(residency_.Settle(object.get()), static_cast<int64_t>(2 * kPage));
  EXPECT_EQ(object->own->charged_bytes, 3 * kPage);
  EXPECT_EQ(object->size_bytes, 3 * kPage);
  EXPECT_EQ(residency_.Settle(object.get()), 0);
}

TEST_F(ResidencyTest, HolesAreFilledUnlessThatTakesTooMuch) {
  ASSERT_TRUE(segments_.Create(1));
  ASSERT_TRUE(segments_.SetSize(1, 4 * kPage));
  const ObjectRef object = MakeRecord(1, "a", ObjectState::kUnsealed);
  EXPECT_EQ(residency_.Settle(object.get()), int64_t{4096});
  EXPECT_EQ(object->own->charged_bytes, 0u);
  const Status refused = residency_.FillHoles(*object, 3 * kPage);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kTooLarge);
  ASSERT_TRUE(residency_.FillHoles(*object, 4 * kPage));
  EXPECT_LT(residency_.Settle(object.get()), 0);
  EXPECT_EQ(object->own->charged_bytes, 4 * kPage);
}

// Invariant (3).
TEST_F(ResidencyTest, OnlyWhatWasSealedMayBeRecycled) {
  residency_.Recycle();
  const ObjectRef aborted = MakeUnsealed(1, kPage);
  const DroppedSegment kept_aside = residency_.Take(aborted.get(), 1);
  EXPECT_FALSE(kept_aside.retired_from);
  EXPECT_EQ(kept_aside.retired_number, 1U);
  const ObjectRef sealed = MakeUnsealed(2, kPage);
  sealed->state = ObjectState::kSealed;
  const DroppedSegment dropped = residency_.Take(sealed.get(), 2);
  ASSERT_TRUE(dropped.retired_from);
  EXPECT_EQ(dropped.retired_from->mode, 0644u);
  EXPECT_TRUE(Exists("retired", 2));
  EXPECT_TRUE(Exists("retired", 1));
  EXPECT_FALSE(Exists("segments", 1));
}

TEST_F(ResidencyTest, WhatOthersMayStillReachIsNotRecycled) {
  residency_.Recycle();
  const ObjectRef object = MakeUnsealed(1, kPage);
  object->state = ObjectState::kSealed;
  object->own->recyclable = false;
  EXPECT_FALSE(residency_.Take(object.get(), object->number).retired_from);
  EXPECT_FALSE(Exists("segments", 1));
}

TEST_F(ResidencyTest, ASegmentOfAnotherSizeIsNotRestored) {
  const ObjectRef object = MakeUnsealed(1, 2 * kPage);
  object->state = ObjectState::kSealed;
  ObjectInfo journaled = object->Info();
  journaled.size_bytes = kPage;
  const Status refused = residency_.Restore(object.get(), journaled);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kCorruption);
  journaled.size_bytes = 2 * kPage;
  EXPECT_TRUE(residency_.Restore(object.get(), journaled));
  EXPECT_EQ(object->own->charged_bytes, 2 * kPage);
}

}  // namespace
}  // namespace vitrine::store
