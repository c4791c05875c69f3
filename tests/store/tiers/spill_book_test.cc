#include "store/tiers/spill_book.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <vector>

#include "tests/store/tiers/loads.h"

namespace vitrine::store {
namespace {

using Numbers = std::vector<uint64_t>;

class SpillBookTest : public testing::Test {
 protected:
  static SpillHead Head(uint64_t sequence, const Numbers& numbers) {
    SpillHead head{.sequence = sequence, .value_bytes = 1000};
    for (const uint64_t number : numbers) {
      head.objects.push_back({.object = {InfoOf(number, 100), nullptr}});
    }
    return head;
  }
  Numbers Forgotten() const {
    Numbers numbers = book_.Forgotten();
    std::sort(numbers.begin(), numbers.end());
    EXPECT_EQ(numbers.size(), book_.CountForgotten());
    return numbers;
  }

  SpillBook book_{0};
};

TEST_F(SpillBookTest, WhatIsForgottenIsKnownAsLongAsAValueHasIt) {
  book_.Add(Head(1, {1, 2, 3}));
  book_.Forget(2);
  EXPECT_EQ(Forgotten(), Numbers{2});
  EXPECT_EQ(book_.NewlyForgotten(), Numbers{2});
  book_.NoteLogged(1);
  EXPECT_EQ(book_.NewlyForgotten(), Numbers());
  for (const uint64_t number : {1U, 3U}) book_.Forget(number);
  // It is dead, but still there.
  EXPECT_EQ(book_.DeadValues(9), Numbers{1});
  EXPECT_EQ(Forgotten(), (Numbers{1, 2, 3}));
  book_.Removed(book_.DeadValues(9));
  EXPECT_EQ(Forgotten(), Numbers());
}

// The copy has it, too.
TEST_F(SpillBookTest, WhatIsForgottenWhileItIsCopiedIsForgottenInTheCopy) {
  book_.Add(Head(1, {1, 2}));
  book_.Forget(2);
  book_.AddCopy(Head(2, {1, 2}));
  book_.Removed(book_.DeadValues(9));
  EXPECT_EQ(book_.Find(1)->sequence, 2u);
  EXPECT_FALSE(book_.Find(2));
  EXPECT_EQ(Forgotten(), Numbers{2});
}

TEST_F(SpillBookTest, TheDeletionOfADeadValueSaysItAll) {
  book_.Add(Head(1, {1}));
  book_.Forget(1);
  EXPECT_EQ(book_.NewlyForgotten(), Numbers());
  EXPECT_EQ(book_.DeadValues(9), Numbers{1});
}

TEST_F(SpillBookTest, AValueThatIsKeptForInspectionIsNeverDead) {
  book_.Add(Head(1, {1}));
  EXPECT_TRUE(book_.NoteDamage(1, *book_.Find(1)));
  book_.Forget(1);
  EXPECT_EQ(book_.DeadValues(9), Numbers());
  EXPECT_EQ(book_.NewlyForgotten(), Numbers{1});
}

}  // namespace
}  // namespace vitrine::store
