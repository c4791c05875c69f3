// The filter of a chain (schema/index_layout.h), in every order of the steps of
// store and reader: an object that is there all the time is never absent.
//
// The store moves one object from the first bucket of its chain to the second
// one and back, as inserts and removals of others do, while readers look it up.
// Each flaw that the protocol is meant to be without is shown to be found.
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <utility>

#include "tests/schema/memory_model.h"

namespace vitrine {
namespace {

using model::Explorer;
using model::State;
using model::Thread;
using model::Verdict;

constexpr uint8_t kReaders = 2;
constexpr uint8_t kMoves = 3;

// Variables of the model.
enum Variable : uint8_t {
  kVersion,
  kFirst,   // 1: the object is in the first bucket.
  kFilter,  // 1: it has the object's bits.
  kSecond,  // 1: the object is in the second bucket.
};

enum class Flaw {
  kNone,
  kReaderLooksOnce,
  kChangesUnseen,
  kFilterBeforeTheChange,
  kFilterAfterTheChange,
  kFilterForgets,
};

std::ostream& operator<<(std::ostream& out, Flaw flaw) {
  static constexpr const char* kNames[] = {"None",
                                           "ReaderLooksOnce",
                                           "ChangesUnseen",
                                           "FilterBeforeTheChange",
                                           "FilterAfterTheChange",
                                           "FilterForgets"};
  return out << kNames[static_cast<size_t>(flaw)];
}

// --- the reader: steps 1 and 2 of index_layout.h ---

enum ReaderStep : uint8_t {
  kReadVersion,
  kLookIntoFirst,
  kReadFilter,
  kLookIntoSecond,
  kReadVersionAgain,
  kSayAbsent,
};
constexpr size_t rVersion = 0;

void LookUpStep(Thread* self, Flaw flaw) {
  const uint8_t step = self->at()++;
  switch (step) {
    case kReadVersion:
      self->reg(rVersion) = self->Load(kVersion);
      if (self->reg(rVersion) % 2 != 0) self->at() = kReadVersion;
      return;
    case kLookIntoFirst:
      if (self->Load(kFirst) != 0) self->Finish();
      return;
    case kReadFilter:
      if (self->Load(kFilter) == 0) self->at() = kReadVersionAgain;
      return;
    case kLookIntoSecond:
      if (self->Load(kSecond) != 0) self->Finish();
      return;
    case kReadVersionAgain:
      if (flaw == Flaw::kReaderLooksOnce) return;
      if (self->Load(kVersion) != self->reg(rVersion)) {
        self->at() = kReadVersion;
      }
      return;
    default:
      return self->Finish();
  }
}

// --- the store: each of its steps is one access ---

constexpr size_t rMoves = 0;

enum StoreStep : uint8_t {
  kFilterTooEarly,
  kBegin,
  kSetFilter,
  kArrive,
  kLeave,
  kEnd,
  kFilterTooLate,
  kNextMove,
};

void MoveStep(Thread* self, Flaw flaw) {
  const uint8_t step = self->at()++;
  const bool to_second = self->reg(rMoves) % 2 == 0;
  const uint8_t filter = to_second && flaw != Flaw::kFilterForgets ? 1 : 0;
  const auto set_filter_if = [&](bool now) {
    if (now) self->StoreRelease(kFilter, filter);
  };
  const bool early = flaw == Flaw::kFilterBeforeTheChange;
  const bool late = flaw == Flaw::kFilterAfterTheChange;
  const bool unseen = flaw == Flaw::kChangesUnseen;
  switch (step) {
    case kFilterTooEarly:
      return set_filter_if(early);
    case kBegin:
      if (!unseen) self->Store(kVersion, self->Load(kVersion) + 1);
      return;
    case kSetFilter:
      return set_filter_if(!early && !late);
    case kArrive:
      return self->StoreRelease(to_second ? kSecond : kFirst, 1);
    case kLeave:
      return self->StoreRelease(to_second ? kFirst : kSecond, 0);
    case kEnd:
      if (!unseen) self->StoreRelease(kVersion, self->Load(kVersion) + 1);
      return;
    case kFilterTooLate:
      return set_filter_if(late);
    default:
      self->at() = kFilterTooEarly;
      if (++self->reg(rMoves) == kMoves) self->Finish();
      return;
  }
}

// --- what must hold ---

std::string WrongAbsence(const State& state) {
  for (uint8_t reader = 0; reader < kReaders; ++reader) {
    const model::ThreadState& own = state.threads[reader];
    if (own.done == 0 && own.at == kSayAbsent)
      return "absent, though it is there";
  }
  return "";
}

Verdict Explore(Explorer::Stores stores, Flaw flaw) {
  const auto look_up = [flaw](Thread* self) { LookUpStep(self, flaw); };
  const auto move = [flaw](Thread* self) { MoveStep(self, flaw); };
  Explorer explorer(stores, {look_up, look_up, move}, WrongAbsence);
  State start;
  start.memory[kFirst] = 1;
  std::string wrong = explorer.Run(start);
  return {std::move(wrong), explorer.states()};
}

class FilterProtocolTest : public testing::TestWithParam<Explorer::Stores> {};

TEST_P(FilterProtocolTest, WhatIsThereIsNeverAbsent) {
  const Verdict verdict = Explore(GetParam(), Flaw::kNone);
  EXPECT_EQ(verdict.wrong, "");
  EXPECT_GT(verdict.states, 1'000u);
}

TEST_P(FilterProtocolTest, EveryFlawIsFound) {
  for (const Flaw flaw : {Flaw::kReaderLooksOnce, Flaw::kChangesUnseen,
                          Flaw::kFilterBeforeTheChange,
                          Flaw::kFilterAfterTheChange, Flaw::kFilterForgets}) {
    EXPECT_NE(Explore(GetParam(), flaw).wrong, "") << flaw;
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, FilterProtocolTest, model::BothStores(),
                         model::NameOfStores);

}  // namespace
}  // namespace vitrine
