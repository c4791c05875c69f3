#include <fcntl.h>
#include <gtest/gtest.h>

#include "tests/store/table/table_fixture.h"

namespace vitrine::store {
namespace {

// A retired segment in place of a new object's empty one.
class AdoptTest : public TableFixture {
 protected:
  RetiredSegment Retired() {
    const uint64_t number = table_->upkeep().NewNumber();
    EXPECT_TRUE(segments_->MakeRetired(number, kPage));
    return {.number = number, .allocated_bytes = kPage, .size_bytes = kPage};
  }
  Audience AudienceOfObject() const {
    const ObjectInfo info = table_->queries().Info(object_);
    return {.uid = info.uid, .gid = info.gid, .mode = info.mode};
  }
  Code Refused() {
    const Status adopted =
        table_->unsealed().Adopt(object_, AudienceOfObject(), Retired());
    return adopted ? Code{} : adopted.error().code;
  }

  ObjectRef object_ =
      *table_->unsealed().Insert(*ObjectId::FromText("a"), NewObject{});
};

TEST_F(AdoptTest, ItIsTheObjectsWithItsSizeAndCharge) {
  ASSERT_TRUE(table_->unsealed().Adopt(object_, AudienceOfObject(), Retired()));
  const ObjectInfo info = table_->queries().Info(object_);
  EXPECT_EQ(info.size_bytes, kPage);
  EXPECT_EQ(info.charged_bytes, kPage);
  EXPECT_TRUE(info.recycled);
  EXPECT_TRUE(
      table_->sealing().Seal(object_, *ObjectId::FromText("a"), 1 << 20));
}

TEST_F(AdoptTest, WhatIsNotEmptyIsLeftAsItIs) {
  ASSERT_TRUE(table_->unsealed().SetSize(object_, 1));
  EXPECT_EQ(Refused(), Code::kInUse);
  EXPECT_EQ(table_->queries().Info(object_).size_bytes, 1u);
}

TEST_F(AdoptTest, WhatSomebodyElseHasOpenIsLeftAsItIs) {
  const auto reader = segments_->OpenFresh(NumberOf(*object_), O_RDONLY);
  ASSERT_TRUE(reader);
  EXPECT_EQ(Refused(), Code::kInUse);
}

TEST_F(AdoptTest, WhatHasAnotherWriterOrChangeIsLeftAsItIs) {
  ASSERT_TRUE(table_->unsealed().BeginWriting(object_, WriteMode::kPassthrough,
                                              kStoreItself));
  EXPECT_EQ(Refused(), Code::kInUse);
  table_->unsealed().EndWriting(object_, WriteMode::kPassthrough);
  ASSERT_TRUE(table_->unsealed().BeginChange(object_));
  ASSERT_TRUE(table_->unsealed().BeginChange(object_));
  EXPECT_EQ(Refused(), Code::kInUse);
  table_->unsealed().EndChange(object_);
  EXPECT_EQ(Refused(), Code{});
}

// Bytes that only some may read would show to others.
TEST_F(AdoptTest, WhatHasAnotherAudienceByNowIsLeftAsItIs) {
  const Audience before = AudienceOfObject();
  ASSERT_TRUE(table_->unsealed().SetMode(object_, 0600));
  EXPECT_FALSE(table_->unsealed().Adopt(object_, before, Retired()));
  ASSERT_TRUE(table_->unsealed().SetMode(object_, before.mode));
  ASSERT_TRUE(table_->unsealed().SetOwner(object_, before.uid + 1, before.gid));
  EXPECT_FALSE(table_->unsealed().Adopt(object_, before, Retired()));
}

TEST_F(AdoptTest, WhatIsGoneTakesNothing) {
  ASSERT_TRUE(table_->unsealed().Abort(object_));
  EXPECT_NE(Refused(), Code{});
}

}  // namespace
}  // namespace vitrine::store
