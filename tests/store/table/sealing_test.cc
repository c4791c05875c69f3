// What may happen while an object gets new pages for its seal.
#include "store/table/sealing.h"

#include <fcntl.h>

#include "tests/store/table/table_fixture.h"

namespace vitrine::store {
namespace {

constexpr uid_t kUser = 54321;
constexpr uint64_t kMost = 1 << 20;

ObjectId Id(const std::string& id) { return *ObjectId::FromText(id); }

class RenewalTest : public TableFixture {
 protected:
  RenewalTest() { table_->sealing().SetCopying(SealCopy::kAuto); }

  // An object whose pages a user had.
  ObjectRef Written(const std::string& id) {
    const auto object = *table_->unsealed().Insert(Id(id), {});
    EXPECT_TRUE(table_->unsealed().SetSize(object, kPage));
    EXPECT_TRUE(segments_->Reserve(NumberOf(*object), 0, kPage));
    EXPECT_TRUE(table_->unsealed().OpenForWriting(object, kUser));
    return object;
  }
  // How many bytes need new pages before it is sealed.
  uint64_t Renews(const ObjectRef& object, const std::string& id) {
    const auto step = table_->sealing().Seal(object, Id(id), kMost);
    EXPECT_TRUE(step) << step.error().ToString();
    return step ? step->renew_bytes : 0;
  }
  bool IsSealed(const ObjectRef& object) {
    return table_->queries().Info(object).state == ObjectState::kSealed;
  }
};

TEST_F(RenewalTest, ItIsSealedOnceItsPagesAreNew) {
  const ObjectRef object = Written("a");
  EXPECT_EQ(Renews(object, "a"), kPage);
  EXPECT_FALSE(IsSealed(object));
  EXPECT_FALSE(table_->sealed().FindSealed(Id("a")));
  table_->sealing().EndRenewal(object, true);
  EXPECT_EQ(Renews(object, "a"), 0u);
  EXPECT_TRUE(IsSealed(object));
}

TEST_F(RenewalTest, WhoeverHadItCountsWhateverItsOwner) {
  const ObjectRef object = Written("a");
  ASSERT_TRUE(table_->unsealed().SetOwner(object, 0, 0));
  EXPECT_EQ(Renews(object, "a"), kPage);
}

TEST_F(RenewalTest, AWriterThroughTheMountCounts) {
  for (const WriteMode mode : {WriteMode::kPassthrough, WriteMode::kCarried}) {
    const auto object = *table_->unsealed().Insert(Id("a"), {});
    ASSERT_TRUE(table_->unsealed().SetSize(object, kPage));
    ASSERT_TRUE(table_->unsealed().BeginWriting(object, mode, kUser));
    table_->unsealed().EndWriting(object, mode);
    EXPECT_EQ(Renews(object, "a"), kPage);
    ASSERT_TRUE(table_->unsealed().Abort(object));
  }
}

TEST_F(RenewalTest, WhatOnlyTheStoreHadIsSealedAtOnce) {
  const auto object = *table_->unsealed().Insert(Id("a"), {});
  ASSERT_TRUE(table_->unsealed().SetSize(object, kPage));
  ASSERT_TRUE(table_->unsealed().OpenForWriting(object, kStoreItself));
  EXPECT_EQ(Renews(object, "a"), 0u);
  EXPECT_TRUE(IsSealed(object));
}

TEST_F(RenewalTest, NobodyChangesItMeanwhile) {
  const ObjectRef object = Written("a");
  ASSERT_EQ(Renews(object, "a"), kPage);
  UnsealedOps& ops = table_->unsealed();
  const auto refused = [](const Status& status) {
    return !status && status.error().code == Code::kInUse;
  };
  EXPECT_TRUE(refused(ops.BeginWriting(object, WriteMode::kCarried, kUser)));
  EXPECT_EQ(ops.OpenForWriting(object, kUser).error().code, Code::kInUse);
  EXPECT_EQ(ops.BeginChange(object).error().code, Code::kInUse);
  EXPECT_EQ(ops.SetSize(object, 0).error().code, Code::kInUse);
  EXPECT_TRUE(refused(ops.SetMode(object, 0666)));
  EXPECT_TRUE(refused(ops.SetOwner(object, kUser, kUser)));
  EXPECT_TRUE(refused(ops.SetModified(object, 0)));
  EXPECT_EQ(ops.SetMetadata(object, "a", "b").error().code, Code::kInUse);
  DroppedSegment none;
  EXPECT_TRUE(refused(ops.Rename(object, Id("b"), false, &none)));
  EXPECT_EQ(table_->sealing().Seal(object, Id("a"), kMost).error().code,
            Code::kInUse);
  table_->sealing().EndRenewal(object, false);
  EXPECT_TRUE(ops.OpenForWriting(object, kUser));
  EXPECT_EQ(Renews(object, "a"), kPage);  // The pages are still the user's.
}

TEST_F(RenewalTest, ItMayBeAbortedMeanwhile) {
  const ObjectRef object = Written("a");
  ASSERT_EQ(Renews(object, "a"), kPage);
  EXPECT_TRUE(table_->unsealed().Abort(object));
  table_->sealing().EndRenewal(object, true);
  EXPECT_EQ(table_->sealing().Seal(object, Id("a"), kMost).error().code,
            Code::kNotFound);
}

TEST_F(RenewalTest, AnotherObjectMayTakeItsPlaceMeanwhile) {
  const ObjectRef object = Written("a");
  const ObjectRef other = Written("b");
  ASSERT_EQ(Renews(object, "a"), kPage);
  DroppedSegment replaced;
  EXPECT_TRUE(table_->unsealed().Rename(other, Id("a"), false, &replaced));
  EXPECT_EQ(replaced.number, NumberOf(*object));
  table_->sealing().EndRenewal(object, true);
  EXPECT_FALSE(IsSealed(object));
}

TEST_F(RenewalTest, OfTwoWithOneIdTheFirstIsSealed) {
  const ObjectRef first = Written("a");
  const ObjectRef second = Written("b");
  ASSERT_EQ(Renews(first, "x"), kPage);
  ASSERT_EQ(Renews(second, "x"), kPage);
  table_->sealing().EndRenewal(second, true);
  table_->sealing().EndRenewal(first, true);
  EXPECT_EQ(Renews(second, "x"), 0u);
  EXPECT_EQ(table_->sealing().Seal(first, Id("x"), kMost).error().code,
            Code::kAlreadyExists);
  EXPECT_FALSE(IsSealed(first));
  EXPECT_EQ(Renews(first, "y"), 0u);
}

// Whoever opened it just before is found by the lease; so is a foreign one.
TEST_F(RenewalTest, WhoeverOpensItByItselfMeanwhileKeepsItFromBeingSealed) {
  const ObjectRef object = Written("a");
  ASSERT_EQ(Renews(object, "a"), kPage);
  auto foreign = segments_->OpenFresh(NumberOf(*object), O_RDWR);
  ASSERT_TRUE(foreign);
  table_->sealing().EndRenewal(object, true);
  EXPECT_EQ(table_->sealing().Seal(object, Id("a"), kMost).error().code,
            Code::kInUse);
}

}  // namespace
}  // namespace vitrine::store
