#include "store/table/change_log.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/store/table/table_parts.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::store {
namespace {

class Listener : public Observer {
 public:
  void OnEvent(const ObjectEvent& event) override { events.push_back(event); }
  std::vector<ObjectEvent> events;
};

class ChangeLogTest : public testing::Test {
 protected:
  Journal OpenJournal() {
    JournalContents contents;
    Journal journal = *Journal::Open(dir_.path() + "/journal", &contents);
    journaled_ = std::move(contents.objects);
    return journal;
  }

  ScratchDir dir_;
  std::vector<JournaledObject> journaled_;
  ChangeLog log_{OpenJournal()};
};

TEST_F(ChangeLogTest, ARestartFindsWhatWasSealedAndNotRemoved) {
  const ObjectRef a = MakeRecord(1, "a");
  const ObjectRef b = MakeRecord(2, "b");
  ASSERT_TRUE(log_.RecordSealed(*a));
  ASSERT_TRUE(log_.RecordSealed(*b));
  ASSERT_TRUE(log_.RecordHold(2, true));
  log_.RecordRemoved({&a, 1});
  (void)OpenJournal();
  ASSERT_EQ(journaled_.size(), 1u);
  EXPECT_EQ(journaled_[0].info.id.text(), "b");
  EXPECT_TRUE(journaled_[0].info.hold);
}

TEST_F(ChangeLogTest, WhatCannotBeRestoredIsForgotten) {
  ASSERT_TRUE(log_.RecordSealed(*MakeRecord(1, "a")));
  (void)OpenJournal();
  ASSERT_EQ(journaled_.size(), 1u);
  log_.RecordLost(journaled_[0]);
  (void)OpenJournal();
  EXPECT_TRUE(journaled_.empty());
}

// Invariant (1).
TEST_F(ChangeLogTest, ObserversHearEverythingInOrderUntilTheyAreRemoved) {
  Listener first;
  Listener second;
  const ObjectRef object = MakeRecord(1, "a");
  log_.Notify(ObjectEventKind::kCreated, *object);  // Nobody listens yet.
  log_.AddObserver(&first);
  log_.AddObserver(&second);
  log_.Notify(ObjectEventKind::kSealed, *object, *ObjectId::FromText("old"));
  log_.RemoveObserver(&second);
  log_.Notify(ObjectEventKind::kDeleted, *object);
  ASSERT_EQ(first.events.size(), 2u);
  EXPECT_EQ(first.events[0].kind, ObjectEventKind::kSealed);
  EXPECT_EQ(first.events[0].old_id.text(), "old");
  EXPECT_EQ(first.events[1].kind, ObjectEventKind::kDeleted);
  EXPECT_EQ(first.events[1].old_id.text(), "a");
  EXPECT_EQ(second.events.size(), 1u);
}

TEST_F(ChangeLogTest, AJournalThatIsMostlyDeadIsRewrittenWithWhatLives) {
  const ObjectRef kept = MakeRecord(1, "kept");
  ASSERT_TRUE(log_.RecordSealed(*kept));
  for (uint64_t number = 2; number < 20'000; ++number) {
    const ObjectRef object = MakeRecord(number, "o");
    ASSERT_TRUE(log_.RecordSealed(*object));
    log_.RecordRemoved({&object, 1});
  }
  const uint64_t before = log_.journal_bytes();
  log_.RewriteIfWanted(
      [&kept](const Journal::Visitor& visit) { visit(kept->Journaled()); });
  EXPECT_LT(log_.journal_bytes(), before / 2);
  (void)OpenJournal();
  ASSERT_EQ(journaled_.size(), 1u);
  EXPECT_EQ(journaled_[0].info.id.text(), "kept");
}

}  // namespace
}  // namespace vitrine::store
