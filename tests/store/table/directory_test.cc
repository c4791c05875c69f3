#include "store/table/directory.h"

#include <gtest/gtest.h>

#include "tests/store/table/table_parts.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::store {
namespace {

class DirectoryTest : public testing::Test {
 protected:
  static constexpr auto kUnsealed = ObjectState::kUnsealed;

  ScratchDir dir_;
  Directory directory_{*IndexWriter::Create(dir_.path() + "/index")};
};

TEST_F(DirectoryTest, AnEmptyOneFindsNothing) {
  EXPECT_EQ(directory_.FindSealed("a"), nullptr);
  EXPECT_EQ(directory_.FindUnsealed("a"), nullptr);
  EXPECT_EQ(directory_.InSlot(0), nullptr);
  EXPECT_EQ(directory_.InSlot(kNoSlot), nullptr);
  EXPECT_FALSE(directory_.IsTaken("a"));
  EXPECT_TRUE(directory_.List(ObjectState::kSealed).empty());
}

// Invariant (1).
TEST_F(DirectoryTest, OnlySealedObjectsHaveSlotsAndEachItsOwn) {
  const ObjectRef writing = MakeRecord(1, "a", kUnsealed);
  directory_.AddUnsealed(writing);
  EXPECT_EQ(writing->slot, kNoSlot);
  const ObjectRef b = MakeRecord(2, "b");
  const ObjectRef c = MakeRecord(3, "c");
  ASSERT_TRUE(directory_.Publish(b));
  ASSERT_TRUE(directory_.Publish(c));
  EXPECT_NE(b->slot, c->slot);
  EXPECT_EQ(directory_.InSlot(b->slot), b);
  EXPECT_EQ(directory_.InSlot(c->slot), c);
  directory_.Unpublish(b.get());
  EXPECT_EQ(b->slot, kNoSlot);
  EXPECT_EQ(directory_.FindSealed("b"), nullptr);
  EXPECT_EQ(directory_.FindSealed("c"), c);
}

// Invariant (2).
TEST_F(DirectoryTest, AnIdIsSealedOnce) {
  ASSERT_TRUE(directory_.Publish(MakeRecord(1, "a")));
  const ObjectRef second = MakeRecord(2, "a");
  const Status again = directory_.Publish(second);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kAlreadyExists);
  EXPECT_EQ(second->slot, kNoSlot);
  EXPECT_EQ(directory_.FindSealed("a")->number, 1u);
}

TEST_F(DirectoryTest, SealingMovesAnIdFromOneSideToTheOther) {
  const ObjectRef object = MakeRecord(1, "a", kUnsealed);
  directory_.AddUnsealed(object);
  EXPECT_TRUE(directory_.IsTaken("a"));
  EXPECT_EQ(directory_.FindUnsealed("a"), object);
  EXPECT_EQ(directory_.FindSealed("a"), nullptr);
  ASSERT_TRUE(directory_.Publish(object));
  directory_.RemoveUnsealed("a");
  EXPECT_EQ(directory_.FindUnsealed("a"), nullptr);
  EXPECT_EQ(directory_.FindSealed("a"), object);
  EXPECT_TRUE(directory_.IsTaken("a"));
}

// Invariant (3).
TEST_F(DirectoryTest, CountsWhatThereIs) {
  directory_.AddUnsealed(MakeRecord(1, "a", kUnsealed));
  const ObjectRef b = MakeRecord(2, "b");
  ASSERT_TRUE(directory_.Publish(b));
  EXPECT_EQ(directory_.unsealed_objects(), 1u);
  EXPECT_EQ(directory_.unsealed_bytes(), 4096u);
  EXPECT_EQ(directory_.sealed_objects(), 1u);
  EXPECT_EQ(directory_.sealed_bytes(), b->cost_bytes());
  EXPECT_EQ(directory_.List(ObjectState::kSealed).size(), 1u);
  EXPECT_EQ(directory_.List(kUnsealed).size(), 1u);
  directory_.Unpublish(b.get());
  EXPECT_EQ(directory_.sealed_objects(), 0u);
  EXPECT_EQ(directory_.sealed_bytes(), 0u);
  EXPECT_TRUE(directory_.List(ObjectState::kSealed).empty());
}

TEST_F(DirectoryTest, AnotherObjectOfTheSameIdIsNotTheOneThatWasKnown) {
  directory_.AddUnsealed(MakeRecord(1, "a", kUnsealed));
  ASSERT_TRUE(directory_.Publish(MakeRecord(2, "b")));
  const std::vector<KnownObject> known = {
      {1, "a"}, {2, "b"}, {3, "b"}, {1, "b"}, {4, "d"}};
  EXPECT_EQ(directory_.AreAlive(known),
            (std::vector<bool>{true, true, false, false, false}));
}

TEST_F(DirectoryTest, AFreedSlotIsUsedAgain) {
  const ObjectRef first = MakeRecord(1, "a");
  ASSERT_TRUE(directory_.Publish(first));
  const uint32_t slot = first->slot;
  directory_.Unpublish(first.get());
  const ObjectRef second = MakeRecord(2, "b");
  ASSERT_TRUE(directory_.Publish(second));
  EXPECT_EQ(second->slot, slot);
  EXPECT_EQ(directory_.slots().size(), slot + 1);
}

}  // namespace
}  // namespace vitrine::store
