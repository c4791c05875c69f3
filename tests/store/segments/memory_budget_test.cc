#include "store/segments/memory_budget.h"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace vitrine::store {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr uint64_t kMaxBytes = std::numeric_limits<uint64_t>::max();

class MemoryBudgetTest : public testing::Test {
 protected:
  MemoryBudgetTest() {
    budget_->SetOnShortage([this] { ++shortages_; });
  }

  // Records the outcome as "<name>" or "<name>: <error's name>".
  Done<void> Note(const std::string& name) {
    return [this, name](Status status) {
      outcomes_.push_back(status ? name
                                 : name + ": " + CodeName(status.error().code));
    };
  }

  using Outcomes = std::vector<std::string>;
  Outcomes outcomes_;
  int shortages_ = 0;
  std::unique_ptr<MemoryBudget> budget_ =
      std::make_unique<MemoryBudget>(100, 10);
};

TEST_F(MemoryBudgetTest, MoreThanTheCapacityIsTooLarge) {
  budget_->Charge(101, SpaceWait{}, Note("huge"));
  budget_->Charge(kMaxBytes, SpaceWait{}, Note("absurd"));
  EXPECT_EQ(outcomes_, Outcomes({"huge: too large", "absurd: too large"}));
  EXPECT_EQ(budget_->Get().used_bytes, 0u);
}

TEST_F(MemoryBudgetTest, WaitsOfWhatIsNotWantedEndAndLetOthersPass) {
  ASSERT_TRUE(budget_->TryCharge(60));
  const int gone = 0;
  const int other = 0;
  budget_->Charge(50, SpaceWait{}, Note("gone"), &gone);
  budget_->Charge(60, SpaceWait{}, Note("waiting"), &other);
  budget_->Charge(30, SpaceWait{}, Note("behind"));
  budget_->EndWaitsOf(&gone);
  EXPECT_EQ(outcomes_, Outcomes({"gone: not found"}));
  budget_->EndWaitsOf(&other);
  EXPECT_EQ(outcomes_,
            Outcomes({"gone: not found", "behind", "waiting: not found"}));
  budget_->EndWaitsOf(&other);
  EXPECT_EQ(budget_->Get().used_bytes, 90u);
  EXPECT_EQ(budget_->Get().waiters, 0u);
}

TEST_F(MemoryBudgetTest, FullAndNotWillingToWaitIsOutOfMemory) {
  ASSERT_TRUE(budget_->TryCharge(60));
  std::string message;
  budget_->Charge(50, SpaceWait{steady_clock::now(), false},
                  [&](Status status) {
                    ASSERT_FALSE(status);
                    EXPECT_EQ(status.error().code, Code::kOutOfMemory);
                    message = status.error().message;
                  });
  EXPECT_NE(message.find("wanted 50 bytes"), std::string::npos) << message;
  EXPECT_NE(message.find("60 of 100 bytes"), std::string::npos) << message;
  EXPECT_EQ(budget_->Get().used_bytes, 60u);
  EXPECT_EQ(budget_->Get().waiters, 0u);
}

TEST_F(MemoryBudgetTest, DestructionEndsTheWaits) {
  ASSERT_TRUE(budget_->TryCharge(100));
  budget_->Charge(1, SpaceWait{}, Note("a"));
  budget_->Charge(2, SpaceWait{}, Note("b"));
  budget_.reset();
  EXPECT_EQ(outcomes_, Outcomes({"a: unavailable", "b: unavailable"}));
}

TEST_F(MemoryBudgetTest, ExpiredWaitEndsOnce) {
  const Deadline deadline = steady_clock::now() + hours(1);
  ASSERT_TRUE(budget_->TryCharge(100));
  budget_->Charge(5, SpaceWait{deadline, false}, Note("a"));
  EXPECT_EQ(budget_->Get().next_deadline, deadline);
  budget_->ExpireWaits(deadline - milliseconds(1));
  EXPECT_EQ(outcomes_, Outcomes());
  budget_->ExpireWaits(deadline);
  budget_->ExpireWaits(deadline);
  budget_->Uncharge(100);
  EXPECT_EQ(outcomes_, Outcomes({"a: out of memory"}));
  EXPECT_EQ(budget_->Get().used_bytes, 0u);
  EXPECT_EQ(budget_->Get().next_deadline, Deadline::max());
}

TEST_F(MemoryBudgetTest, WhoStoodBehindAnExpiredOneIsGranted) {
  const Deadline deadline = steady_clock::now() + hours(1);
  ASSERT_TRUE(budget_->TryCharge(80));
  budget_->Charge(50, SpaceWait{deadline, false}, Note("large"));
  budget_->Charge(20, SpaceWait{deadline, false}, Note("small"));
  budget_->Charge(1, SpaceWait{deadline, false}, Note("late"));
  budget_->ExpireWaits(deadline);
  EXPECT_EQ(outcomes_,
            Outcomes({"small", "large: out of memory", "late: out of memory"}));
  EXPECT_EQ(budget_->Get().used_bytes, 100u);
}

TEST_F(MemoryBudgetTest, StuckEndsOnlyThoseWhoAsked) {
  ASSERT_TRUE(budget_->TryCharge(100));
  budget_->Charge(5, SpaceWait{Deadline::max(), false}, Note("patient"));
  budget_->Charge(5, SpaceWait{Deadline::max(), true}, Note("mount"));
  budget_->FailStuck();
  budget_->FailStuck();
  EXPECT_EQ(outcomes_, Outcomes({"mount: out of memory"}));
  budget_->Uncharge(10);
  EXPECT_EQ(outcomes_, Outcomes({"mount: out of memory", "patient"}));
}

// Invariant (1) of MemoryBudget.
TEST_F(MemoryBudgetTest, ForcedChargeMayExceedTheCapacity) {
  budget_->ForceCharge(130);
  EXPECT_EQ(budget_->Get().used_bytes, 130u);
  EXPECT_EQ(budget_->Shortage(), 40u);
  EXPECT_FALSE(budget_->TryCharge(1));
  budget_->Charge(1, SpaceWait{}, Note("a"));
  budget_->Uncharge(30);
  EXPECT_EQ(outcomes_, Outcomes());
  budget_->Uncharge(1);
  EXPECT_EQ(outcomes_, Outcomes({"a"}));
}

TEST_F(MemoryBudgetTest, SumsSaturate) {
  constexpr uint64_t kHalf = kMaxBytes / 2;
  MemoryBudget budget(kHalf, kMaxBytes);
  budget.ForceCharge(kMaxBytes - 1);
  budget.ForceCharge(kMaxBytes - 1);
  for (const char* name : {"a", "b", "c"}) {
    budget.Charge(kHalf, SpaceWait{}, Note(name));
  }
  EXPECT_EQ(budget.Get().used_bytes, kMaxBytes);
  EXPECT_EQ(budget.Get().waiting_bytes, kMaxBytes);
  EXPECT_EQ(budget.Get().low_water_bytes, kHalf);
  EXPECT_EQ(budget.Shortage(), kMaxBytes - kHalf);
  budget.Uncharge(kMaxBytes);
  EXPECT_EQ(outcomes_, Outcomes({"a"}));
}

TEST_F(MemoryBudgetTest, ShortageIsNeverMoreThanWhatIsCharged) {
  ASSERT_TRUE(budget_->TryCharge(30));
  budget_->Charge(95, SpaceWait{}, Note("a"));
  budget_->Charge(95, SpaceWait{}, Note("b"));
  EXPECT_EQ(budget_->Shortage(), 30u);
  budget_->Uncharge(30);
  EXPECT_EQ(outcomes_, Outcomes({"a"}));
  EXPECT_EQ(budget_->Shortage(), 95u);
}

// Invariant (2) of MemoryBudget.
TEST_F(MemoryBudgetTest, LaterOnesDoNotOvertake) {
  ASSERT_TRUE(budget_->TryCharge(70));
  budget_->Charge(40, SpaceWait{}, Note("first"));
  budget_->Charge(10, SpaceWait{}, Note("second"));
  EXPECT_FALSE(budget_->TryCharge(1));
  EXPECT_EQ(outcomes_, Outcomes());
  budget_->Uncharge(5);
  EXPECT_EQ(outcomes_, Outcomes());
  budget_->Uncharge(10);
  EXPECT_EQ(outcomes_, Outcomes({"first"}));
  budget_->Uncharge(5);
  EXPECT_EQ(outcomes_, Outcomes({"first", "second"}));
  EXPECT_EQ(budget_->Get().used_bytes, 100u);
}

// Invariant (2) of MemoryBudget.
TEST_F(MemoryBudgetTest, NothingIsGrantedWithoutWaiting) {
  ASSERT_TRUE(budget_->TryCharge(100));
  budget_->Charge(5, SpaceWait{}, Note("waits"));
  EXPECT_TRUE(budget_->TryCharge(0));
  budget_->Charge(0, SpaceWait{}, Note("empty"));
  EXPECT_EQ(outcomes_, Outcomes({"empty"}));
}

// Invariant (4) of MemoryBudget.
TEST_F(MemoryBudgetTest, NothingStaysParkedWhileSomebodyWaits) {
  budget_->SetReclaim([this](uint64_t bytes) {
    budget_->UnchargeParked(std::min(bytes, budget_->Get().parked_bytes));
  });
  ASSERT_TRUE(budget_->TryCharge(60));
  ASSERT_TRUE(budget_->TryPark(40));
  budget_->Charge(90, SpaceWait{}, Note("waits"));
  EXPECT_EQ(budget_->Get().parked_bytes, 0u);
  EXPECT_FALSE(budget_->TryPark(10));
  EXPECT_FALSE(budget_->TryChargeParked(10));
  EXPECT_EQ(outcomes_, Outcomes());
  budget_->Uncharge(20);
  EXPECT_EQ(outcomes_, Outcomes({"waits"}));
}

// Invariant (4) of MemoryBudget.
TEST_F(MemoryBudgetTest, NothingStaysParkedBeyondTheCapacity) {
  budget_->SetReclaim(
      [this](uint64_t bytes) { budget_->UnchargeParked(bytes); });
  ASSERT_TRUE(budget_->TryCharge(60));
  ASSERT_TRUE(budget_->TryPark(40));
  budget_->ForceCharge(70);
  EXPECT_EQ(budget_->Get().parked_bytes, 10u);
  budget_->ForceCharge(70);
  EXPECT_EQ(budget_->Get().parked_bytes, 0u);
  EXPECT_EQ(budget_->Get().used_bytes, 160u);
}

TEST_F(MemoryBudgetTest, ShortageIsToldWhenItBeginsAndForEachWaiter) {
  ASSERT_TRUE(budget_->TryCharge(90));
  EXPECT_EQ(shortages_, 0);
  ASSERT_TRUE(budget_->TryCharge(1));  // Below the low-water mark.
  EXPECT_EQ(shortages_, 1);
  ASSERT_TRUE(budget_->TryCharge(1));
  budget_->ForceCharge(1);
  EXPECT_EQ(shortages_, 1);
  budget_->Charge(50, SpaceWait{}, Note("a"));
  budget_->Charge(50, SpaceWait{}, Note("b"));
  EXPECT_EQ(shortages_, 3);
}

// Invariant (3) of MemoryBudget.
TEST_F(MemoryBudgetTest, CallbacksMayCallTheBudget) {
  ASSERT_TRUE(budget_->TryCharge(100));
  budget_->Charge(30, SpaceWait{}, [this](Status status) {
    ASSERT_TRUE(status);
    budget_->Charge(30, SpaceWait{}, Note("inner"));
    budget_->Uncharge(30);
  });
  budget_->SetOnShortage([this] { (void)budget_->Shortage(); });
  budget_->Uncharge(30);
  EXPECT_EQ(outcomes_, Outcomes({"inner"}));
  EXPECT_EQ(budget_->Get().used_bytes, 100u);
}

// Charges and gives back from many threads while waits expire and fail: each
// callback runs once, the charge never exceeds the capacity, nothing leaks.
// Invariants (1) and (3) of MemoryBudget.
TEST_F(MemoryBudgetTest, EveryCallbackRunsExactlyOnceUnderThreads) {
  constexpr int kThreads = 4;
  constexpr int kCharges = 5000;
  MemoryBudget budget(1000, 100);
  std::vector<std::atomic<int>> calls(kThreads * kCharges);
  std::atomic<uint64_t> held = 0;
  std::atomic<uint64_t> most = 0;
  std::atomic<bool> stop = false;

  const auto charge = [&](int thread) {
    for (int i = 0; i < kCharges; ++i) {
      const uint64_t bytes = 1 + static_cast<uint64_t>(i * 7 + thread) % 400;
      std::atomic<int>* count =
          &calls[static_cast<size_t>(thread * kCharges + i)];
      const SpaceWait wait{steady_clock::now() + milliseconds(i % 3),
                           i % 2 == 0};
      budget.Charge(bytes, wait, [&, bytes, count](Status status) {
        ++*count;
        if (!status) return;
        const uint64_t now = held += bytes;
        uint64_t seen = most;
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        std::this_thread::yield();
        held -= bytes;
        budget.Uncharge(bytes);
      });
    }
  };
  std::thread ticker([&] {
    while (!stop) {
      budget.ExpireWaits(steady_clock::now());
      budget.FailStuck();
      std::this_thread::yield();
    }
  });
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(charge, i);
  for (std::thread& thread : threads) thread.join();
  while (budget.Get().waiters > 0) std::this_thread::yield();
  stop = true;
  ticker.join();

  for (const std::atomic<int>& count : calls) EXPECT_EQ(count, 1);
  EXPECT_LE(most, 1000u);
  EXPECT_EQ(budget.Get().used_bytes, 0u);
}

// --- a file system that others fill ---

TEST_F(MemoryBudgetTest, WhatFailedWaitsBeforeAllOthersAndTheLimitFalls) {
  ASSERT_TRUE(budget_->TryCharge(50));
  ASSERT_TRUE(budget_->TryCharge(40));  // This finds no memory.
  budget_->Charge(20, SpaceWait{}, Note("waiting"));
  budget_->ChargeAgain(40, {40, 15}, SpaceWait{}, Note("again"));
  EXPECT_EQ(budget_->Get().lacking_bytes, 35u);
  EXPECT_EQ(budget_->Get().used_bytes, 50u);
  EXPECT_EQ(budget_->Shortage(), 45u);
  budget_->Uncharge(25);
  EXPECT_EQ(outcomes_, Outcomes({"again"}));
  budget_->Uncharge(20);
  EXPECT_EQ(outcomes_, Outcomes({"again", "waiting"}));
}

TEST_F(MemoryBudgetTest, TheLimitFallsEvenIfMemorySeemsToBeThere) {
  ASSERT_TRUE(budget_->TryCharge(90));
  budget_->ChargeAgain(40, {40, 1000}, SpaceWait{}, Note("again"));
  EXPECT_TRUE(outcomes_.empty());
  budget_->Uncharge(1);
  EXPECT_EQ(outcomes_, Outcomes({"again"}));
}

TEST_F(MemoryBudgetTest, TheLimitRisesWithWhatOthersGiveBack) {
  ASSERT_TRUE(budget_->TryCharge(90));
  budget_->ChargeAgain(30, {30, 5}, SpaceWait{}, Note("again"));
  EXPECT_FALSE(budget_->TryCharge(1));
  budget_->NoteFree(20);
  EXPECT_TRUE(outcomes_.empty());
  budget_->NoteFree(1000);
  EXPECT_EQ(outcomes_, Outcomes({"again"}));
  EXPECT_EQ(budget_->Get().lacking_bytes, 0u);
  EXPECT_TRUE(budget_->TryCharge(10));
}

TEST_F(MemoryBudgetTest, NothingIsEvictedForWhatCannotFitAndOthersPassIt) {
  ASSERT_TRUE(budget_->TryCharge(40));
  ASSERT_TRUE(budget_->TryCharge(60));
  budget_->ChargeAgain(60, {60, 10}, SpaceWait{}, Note("hopeless"));
  EXPECT_EQ(budget_->Shortage(), 0u);
  budget_->Charge(60, SpaceWait{.fail_when_stuck = true}, Note("mount"));
  EXPECT_EQ(outcomes_, Outcomes({"mount: out of memory"}));
  budget_->Charge(5, SpaceWait{}, Note("small"));
  EXPECT_TRUE(budget_->TryCharge(5));
  EXPECT_EQ(outcomes_, Outcomes({"mount: out of memory", "small"}));
  budget_->NoteFree(1000);
  EXPECT_EQ(budget_->Get().waiters, 1u);
  budget_->Uncharge(10);
  EXPECT_EQ(outcomes_, Outcomes({"mount: out of memory", "small", "hopeless"}));
}

TEST_F(MemoryBudgetTest, WhatFailsDuringTheEndEnds) {
  ASSERT_TRUE(budget_->TryCharge(90));
  budget_->Close();
  budget_->ChargeAgain(40, {40, 0}, SpaceWait{}, Note("late"));
  EXPECT_EQ(outcomes_, Outcomes({"late: unavailable"}));
  EXPECT_EQ(budget_->Get().used_bytes, 50u);
}

TEST_F(MemoryBudgetTest, WhoMustNotGetStuckEndsWhenTheLimitFallsBelowHim) {
  ASSERT_TRUE(budget_->TryCharge(90));
  budget_->Charge(50, SpaceWait{.fail_when_stuck = true}, Note("mount"));
  budget_->ChargeAgain(40, {40, 0}, SpaceWait{.fail_when_stuck = true},
                       Note("again"));
  EXPECT_EQ(budget_->Get().lacking_bytes, 50u);
  EXPECT_TRUE(outcomes_.empty());  // Both may fit yet.
  budget_->Uncharge(20);
  EXPECT_EQ(budget_->Get().waiters, 2u);
  budget_->Uncharge(20);
  EXPECT_EQ(outcomes_, Outcomes({"again"}));
}

// --- the low-water mark ---

TEST(LowWaterTest, RisesWhileMemoryIsScarceAndFallsAfterwards) {
  MemoryBudget budget(1600, 10);
  ASSERT_TRUE(budget.TryCharge(1600));
  const auto wait = [&] { budget.Charge(1, SpaceWait{}, [](Status) {}); };
  for (int i = 0; i < 10; ++i) wait();
  EXPECT_EQ(budget.Get().low_water_bytes, 20u);  // Once.
  EXPECT_EQ(budget.RunAhead(), 10u);
  for (int i = 0; i < 10; ++i) {
    budget.Relax();
    wait();
  }
  EXPECT_EQ(budget.Get().low_water_bytes, 100u);  // A sixteenth.
  budget.Relax();
  EXPECT_EQ(budget.Get().low_water_bytes, 100u);  // It was scarce.
  budget.Relax();
  EXPECT_EQ(budget.Get().low_water_bytes, 50u);
  for (int i = 0; i < 10; ++i) budget.Relax();
  EXPECT_EQ(budget.Get().low_water_bytes, 10u);
}

TEST(LowWaterTest, ARequestThatWaitsRaisesIt) {
  MemoryBudget budget(1600, 10);
  ASSERT_TRUE(budget.TryCharge(1600));
  budget.Charge(1, SpaceWait{}, [](Status) {});
  EXPECT_EQ(budget.Get().low_water_bytes, 20u);
}

class HandOverTest : public MemoryBudgetTest {
 protected:
  static constexpr Audience kAlice{.uid = 1000};
  static constexpr Audience kBob{.uid = 1001};

  void ChargeOrTake(const std::string& name, uint64_t bytes) {
    budget_->Charge(bytes, SpaceWait{}, Note(name), nullptr,
                    {kAlice, [this, name](const RetiredSegment& segment) {
                       outcomes_.push_back(name + " took " +
                                           std::to_string(segment.number));
                     }});
  }
  bool HandOver(const Audience& audience, uint64_t number, uint64_t bytes) {
    return budget_->HandOver(audience,
                             {.number = number, .allocated_bytes = bytes});
  }
};

TEST_F(HandOverTest, ASegmentGoesToTheRequestWhoseTurnItIs) {
  ASSERT_TRUE(budget_->TryCharge(90));
  EXPECT_FALSE(HandOver(kAlice, 1, 30)) << "nobody waits";
  ChargeOrTake("first", 30);
  ChargeOrTake("second", 20);
  EXPECT_TRUE(HandOver(kAlice, 2, 31));
  EXPECT_TRUE(HandOver(kAlice, 3, 31));
  EXPECT_EQ(outcomes_, Outcomes({"first took 2", "second took 3"}));
  EXPECT_EQ(budget_->Get().used_bytes, 90u) << "the segments' charge is theirs";
  EXPECT_EQ(budget_->Get().waiters, 0u);
}

TEST_F(HandOverTest, WhatDoesNotSuitTheFirstGoesToNobody) {
  ASSERT_TRUE(budget_->TryCharge(90));
  ChargeOrTake("first", 20);
  ChargeOrTake("second", 15);
  EXPECT_FALSE(HandOver(kBob, 1, 20));
  EXPECT_FALSE(HandOver(kAlice, 1, 19)) << "too small, though not for all";
  EXPECT_FALSE(HandOver(kAlice, 1, 90)) << "most of it would be cut off";
  budget_->Uncharge(90);
  EXPECT_EQ(outcomes_, Outcomes({"first", "second"}));
}

TEST_F(HandOverTest, ThoseBehindItMayFitThen) {
  ASSERT_TRUE(budget_->TryCharge(90));
  ChargeOrTake("first", 30);
  ChargeOrTake("second", 5);
  EXPECT_TRUE(HandOver(kAlice, 1, 30));
  EXPECT_EQ(outcomes_, Outcomes({"first took 1", "second"}));
  EXPECT_EQ(budget_->Get().used_bytes, 95u);
}

TEST_F(HandOverTest, BeyondTheLimitMemoryBecomesFree) {
  budget_->ForceCharge(110);
  ChargeOrTake("first", 30);
  EXPECT_FALSE(HandOver(kAlice, 1, 30));
}

TEST_F(HandOverTest, WhoCouldNotUseItKeepsItsTurn) {
  ASSERT_TRUE(budget_->TryCharge(90));
  ChargeOrTake("behind", 20);
  budget_->ChargeFirst(15, SpaceWait{}, Note("first"));
  budget_->Uncharge(5);
  EXPECT_EQ(outcomes_, Outcomes({"first"}));
  budget_->Uncharge(85);
  EXPECT_EQ(outcomes_, Outcomes({"first", "behind"}));
  budget_->ChargeFirst(50, SpaceWait{}, Note("at once"));
  EXPECT_EQ(outcomes_.back(), "at once");
  budget_->Close();
  budget_->ChargeFirst(50, SpaceWait{}, Note("late"));
  EXPECT_EQ(outcomes_.back(), "late: unavailable");
}

TEST_F(HandOverTest, WhoHasNoWishIsNotPassed) {
  ASSERT_TRUE(budget_->TryCharge(90));
  budget_->Charge(20, SpaceWait{}, Note("plain"));
  ChargeOrTake("second", 20);
  EXPECT_FALSE(HandOver(kAlice, 1, 20));
  EXPECT_EQ(budget_->Get().waiters, 2u);
}

TEST_F(MemoryBudgetTest, BelowTheCeilingNothingIsGranted) {
  ASSERT_TRUE(budget_->TryCharge(30));
  budget_->SetCeiling(50, kMaxBytes);
  EXPECT_EQ(budget_->Get().lacking_bytes, 50u);
  EXPECT_FALSE(budget_->TryCharge(30));
  std::string message;
  budget_->Charge(30, SpaceWait{steady_clock::now(), false},
                  [&](Status status) { message = status.error().message; });
  EXPECT_NE(message.find("50 bytes are kept back"), std::string::npos)
      << message;
  budget_->Charge(60, SpaceWait{}, Note("waiting"));
  EXPECT_EQ(outcomes_, Outcomes());
  budget_->SetCeiling(100, kMaxBytes);
  EXPECT_EQ(outcomes_, Outcomes({"waiting"}));
}

TEST_F(MemoryBudgetTest, ACeilingBelowTheChargeIsAShortage) {
  ASSERT_TRUE(budget_->TryCharge(80));
  budget_->SetCeiling(50, kMaxBytes);
  EXPECT_GE(shortages_, 1);
  EXPECT_EQ(budget_->Shortage(), 30u);
  // Each fall is told: the evictor may pause after a smaller shortage.
  const int told = shortages_;
  budget_->SetCeiling(45, kMaxBytes);
  EXPECT_GT(shortages_, told);
  budget_->SetCeiling(50, kMaxBytes);
  // The file system's own memory does not raise it.
  budget_->NoteFree(kMaxBytes);
  EXPECT_EQ(budget_->Shortage(), 30u);
  budget_->Uncharge(30);
  EXPECT_EQ(budget_->Shortage(), 0u);
}

TEST_F(MemoryBudgetTest, ParkedMemoryBeyondTheCeilingGoesFirst) {
  ASSERT_TRUE(budget_->TryCharge(80));
  ASSERT_TRUE(budget_->TryPark(40));
  uint64_t reclaimed = 0;
  budget_->SetReclaim([&](uint64_t bytes) {
    reclaimed += bytes;
    budget_->UnchargeParked(bytes);
  });
  budget_->SetCeiling(50, kMaxBytes);
  EXPECT_EQ(reclaimed, 30u);
  EXPECT_EQ(shortages_, 0);
  EXPECT_EQ(budget_->Shortage(), 0u);
}

// Of a user who has more than a fair share, and of one who has nothing.
class FairBudgetTest : public MemoryBudgetTest {
 protected:
  FairBudgetTest() {
    budget_->SetAccounts(&accounts_);
    accounts_.ForceCharge({.uid = kGreedy, .gid = 0}, Resource::kMemory, 90);
    budget_->ForceCharge(90);
  }
  void Ask(uint64_t bytes, std::optional<uid_t> uid, const std::string& name) {
    budget_->Charge(bytes, {.uid = uid}, Note(name));
  }

  static constexpr uid_t kGreedy = 1;
  static constexpr uid_t kModest = 2;
  Accounts accounts_{0};
};

TEST_F(FairBudgetTest, WhoHasMoreThanHisShareWaitsBehindTheOthers) {
  Ask(20, kGreedy, "greedy");
  Ask(30, kModest, "modest");
  Ask(25, kModest, "modest again");
  Ask(15, std::nullopt, "store");
  budget_->Uncharge(45);
  EXPECT_EQ(outcomes_, Outcomes({"modest", "modest again"}));
  accounts_.ForceCharge({.uid = kModest, .gid = 0}, Resource::kMemory, 10);
  budget_->Uncharge(15);
  EXPECT_EQ(outcomes_, Outcomes({"modest", "modest again", "store"}));
  // Nobody else waits any more.
  budget_->Uncharge(20);
  EXPECT_EQ(outcomes_, Outcomes({"modest", "modest again", "store", "greedy"}));
}

TEST_F(FairBudgetTest, FreeMemoryIsNotKeptForWhoHasMoreThanHisShare) {
  Ask(50, kGreedy, "greedy");
  EXPECT_FALSE(budget_->TryCharge(5));
  Ask(10, kModest, "modest");
  EXPECT_EQ(outcomes_, Outcomes({"modest"}));
  // Of one kind, first come first served.
  Ask(1, kGreedy, "greedy again");
  EXPECT_EQ(outcomes_, Outcomes({"modest"}));
}

TEST_F(FairBudgetTest, WhoHasHisShareAgainIsServedInTurn) {
  Ask(20, kGreedy, "greedy");
  Ask(20, kModest, "modest");
  accounts_.Release({.uid = kGreedy, .gid = 0}, Resource::kMemory, 60);
  budget_->Uncharge(10);
  EXPECT_EQ(outcomes_, Outcomes({"greedy"}));
}

TEST_F(FairBudgetTest, AloneNobodyHasMoreThanHisShare) {
  Ask(20, kGreedy, "first");
  Ask(10, kGreedy, "second");
  EXPECT_TRUE(budget_->OverShare().empty());
  budget_->Uncharge(20);
  EXPECT_EQ(outcomes_, Outcomes({"first", "second"}));
  Ask(30, kModest, "modest");
  EXPECT_EQ(budget_->OverShare().size(), 1u);
  budget_->Close();
  EXPECT_TRUE(budget_->OverShare().empty());
}

}  // namespace
}  // namespace vitrine::store
