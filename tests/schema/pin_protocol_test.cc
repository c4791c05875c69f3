// The protocol of index and pins (schema/index_layout.h), in every order of its
// steps: no reader ever holds bytes that were given away.
//
// One object in one slot: the store moves it to another place in the table,
// moves its bytes, then evicts it, and publishes its next life in the same
// slot, or sends it elsewhere and brings it back, while two readers get it
// again and again.  Each flaw that the protocol is meant to be without is shown
// to be found.
#include <gtest/gtest.h>

#include <iostream>
#include <ostream>

#include "schema/base/sanitizers.h"
#include "tests/schema/memory_model.h"

namespace vitrine {
namespace {

using model::Explorer;
using model::State;
using model::Thread;
using model::Verdict;

constexpr uint8_t kReaders = 2;
// What the two readers get: one of them more than once, one not at all, ...
struct Gets {
  uint8_t first;
  uint8_t second;
};
constexpr Gets kGets[] = {{1, 1}, {3, 0}};

// Variables of the model.  A place stands for segment and bytes; the entry
// tells it in two fields, as it does segment and offset.
constexpr uint8_t kEntries = 2;
enum Variable : uint8_t {
  kVersion,
  kFound,  // The entry that has the object's key, plus 1; 0: none.
  kWord,   // One for each entry, as of the next two.
  kSegment = kWord + kEntries,
  kOffset = kSegment + kEntries,
  kPin = kOffset + kEntries,  // One for each reader.
  kAlive = kPin + kReaders,   // One for each place: its bytes are there.
};
constexpr uint8_t kPlaces = 3;
static_assert(kAlive + kPlaces <= model::kVariables);

enum SlotWord : uint8_t { kFree, kSealed, kEvicting, kElsewhere };
constexpr uint8_t Word(int generation, SlotWord state) {
  return static_cast<uint8_t>(generation << 2 | state);
}
constexpr uint8_t GenerationOf(uint8_t word) { return word >> 2; }

enum class Flaw {
  kNone,
  kReaderWithoutFence,
  kReaderLooksOnce,
  kEvictorWithoutFence,
  kEvictorFreesBeforeItLooks,
  kMovesUnderTheSameGeneration,
  kReturnsAsItWas,
  kChangesItsEntryUnseen,
};

// What the store does to the object after it has moved it.
enum class Way { kDropsIt, kSendsItElsewhere };

std::ostream& operator<<(std::ostream& out, Flaw flaw) {
  static constexpr const char* kNames[] = {"None",
                                           "ReaderWithoutFence",
                                           "ReaderLooksOnce",
                                           "EvictorWithoutFence",
                                           "EvictorFreesBeforeItLooks",
                                           "MovesUnderTheSameGeneration",
                                           "ReturnsAsItWas",
                                           "ChangesItsEntryUnseen"};
  return out << kNames[static_cast<size_t>(flaw)];
}

// --- the reader: steps 1 to 4 of index_layout.h, then it uses the bytes ---

enum ReaderStep : uint8_t {
  kReadVersion,
  kFindEntry,
  kReadWord,
  kReadSegment,
  kReadOffset,
  kWritePin,
  kReaderFence,
  kReadWordAgain,
  kReadVersionAgain,
  kUse,
  kUnpin,
};
enum ReaderRegister : uint8_t {
  rVersion,
  rEntry,
  rWord,
  rSegment,
  rOffset,
  rToGet
};

void NextGet(Thread* self) {
  if (--self->reg(rToGet) == 0) return self->Finish();
  self->at() = kReadVersion;
}

void ReadStep(Thread* self, uint8_t pin, Flaw flaw) {
  const uint8_t step = self->at()++;
  switch (step) {
    case kReadVersion:
      self->reg(rVersion) = self->Load(kVersion);
      if (self->reg(rVersion) % 2 != 0) self->at() = kReadVersion;
      return;
    case kFindEntry:
      if (self->Load(kFound) == 0) return NextGet(self);
      self->reg(rEntry) = self->Load(kFound) - 1;
      return;
    case kReadWord:
      self->reg(rWord) = self->Load(kWord + self->reg(rEntry));
      if (self->reg(rWord) % 4 == kElsewhere) return NextGet(self);
      if (self->reg(rWord) % 4 != kSealed) self->at() = kReadVersion;
      return;
    case kReadSegment:
      self->reg(rSegment) = self->Load(kSegment + self->reg(rEntry));
      return;
    case kReadOffset:
      self->reg(rOffset) = self->Load(kOffset + self->reg(rEntry));
      return;
    case kWritePin:
      return self->Store(pin, GenerationOf(self->reg(rWord)));
    case kReaderFence:
      if (flaw != Flaw::kReaderWithoutFence && !self->Fenced()) --self->at();
      return;
    case kReadWordAgain:
      if (flaw == Flaw::kReaderLooksOnce) {
        self->at() = kUse;
      } else if (self->Load(kWord + self->reg(rEntry)) != self->reg(rWord)) {
        self->at() = kUnpin;
      }
      return;
    case kReadVersionAgain:
      if (self->Load(kVersion) != self->reg(rVersion)) self->at() = kUnpin;
      return;
    case kUse:
      return;
    case kUnpin:
      self->StoreRelease(pin, 0);
      return NextGet(self);
  }
}

// --- the store: each of its steps is one access ---

enum StoreRegister : uint8_t {
  rTask,
  rGeneration,
  rPlace,
  rPinned,
  rItsEntry,
};
enum Task : uint8_t { kChangeEntry, kMoveIt, kEvictIt, kPublishIt, kNoTask };

enum EvictorStep : uint8_t {
  kMark,
  kEvictorFence,
  kLookAtPins,  // A step for each reader.
  kDecide = kLookAtPins + kReaders,
  kDoIt,
};

void NextTask(Thread* self) {
  self->at() = kMark;
  self->reg(rPinned) = 0;
  if (++self->reg(rTask) == kNoTask) self->Finish();
}

// Bytes that no reader has pinned belong to another object from now on.
void GiveAway(Thread* self, uint8_t place) { self->world(kAlive + place) = 0; }

void StoreSegment(Thread* self, uint8_t place) {
  self->StoreRelease(kSegment + self->reg(rItsEntry), place);
}

void StoreOffset(Thread* self, uint8_t place) {
  self->StoreRelease(kOffset + self->reg(rItsEntry), place);
}

void StoreWord(Thread* self, uint8_t word) {
  self->StoreRelease(kWord + self->reg(rItsEntry), word);
}

void StepVersion(Thread* self) {
  self->StoreRelease(kVersion, self->Load(kVersion) + 1);
}

// To the other entry.
void ChangeEntryStep(Thread* self, uint8_t step, Flaw flaw) {
  const bool unseen = flaw == Flaw::kChangesItsEntryUnseen;
  switch (step) {
    case 0:
      if (!unseen) self->Store(kVersion, self->Load(kVersion) + 1);
      self->reg(rItsEntry) = 1;
      return;
    case 1:
      return StoreSegment(self, self->Load(kSegment));
    case 2:
      return StoreOffset(self, self->Load(kOffset));
    case 3:
      return StoreWord(self, self->Load(kWord));
    case 4:
      return self->StoreRelease(kFound, 2);
    case 5:
      if (!unseen) self->StoreRelease(kWord, Word(0, kFree));
      return;
    case 6:
      if (!unseen) StepVersion(self);
      return;
    default:
      return NextTask(self);
  }
}

void MoveStep(Thread* self, uint8_t step, Flaw flaw) {
  const uint8_t place = self->reg(rPlace);
  uint8_t& generation = self->reg(rGeneration);
  switch (step) {
    case 0:
      return StoreSegment(self, place + 1);
    case 1:
      return StoreOffset(self, place + 1);
    case 2:
      if (flaw != Flaw::kMovesUnderTheSameGeneration) ++generation;
      return StoreWord(self, Word(generation, kSealed));
    default:
      GiveAway(self, place);
      ++self->reg(rPlace);
      return NextTask(self);
  }
}

void EvictStep(Thread* self, uint8_t step) {
  switch (step) {
    case 0:
      return self->Store(kVersion, self->Load(kVersion) + 1);
    case 1:
      return self->StoreRelease(kFound, 0);
    case 2:
      return StoreWord(self, Word(0, kFree));
    case 3:
      return StepVersion(self);
    default:
      GiveAway(self, self->reg(rPlace));
      ++self->reg(rPlace);
      return NextTask(self);
  }
}

void PublishStep(Thread* self, uint8_t step) {
  const uint8_t place = self->reg(rPlace);
  switch (step) {
    case 0:
      return self->Store(kVersion, self->Load(kVersion) + 1);
    case 1:
      return StoreSegment(self, place);
    case 2:
      return StoreOffset(self, place);
    case 3:
      return self->StoreRelease(kFound, self->reg(rItsEntry) + 1);
    case 4:
      return StoreWord(self, Word(++self->reg(rGeneration), kSealed));
    case 5:
      return StepVersion(self);
    default:
      return NextTask(self);
  }
}

void SendElsewhereStep(Thread* self, uint8_t step) {
  if (step == 0) {
    return StoreWord(self, Word(self->reg(rGeneration), kElsewhere));
  }
  GiveAway(self, self->reg(rPlace));
  ++self->reg(rPlace);
  NextTask(self);
}

void ReturnStep(Thread* self, uint8_t step, Flaw flaw) {
  const uint8_t place = self->reg(rPlace);
  const bool as_it_was = flaw == Flaw::kReturnsAsItWas;
  switch (step) {
    case 0:
    case 4:
      if (as_it_was) return;
      return step == 0 ? self->Store(kVersion, self->Load(kVersion) + 1)
                       : StepVersion(self);
    case 1:
      return StoreSegment(self, place);
    case 2:
      return StoreOffset(self, place);
    case 3:
      if (!as_it_was) ++self->reg(rGeneration);
      return StoreWord(self, Word(self->reg(rGeneration), kSealed));
    default:
      return NextTask(self);
  }
}

void MarkAndLookStep(Thread* self, uint8_t step, Flaw flaw) {
  const uint8_t generation = self->reg(rGeneration);
  if (step == kMark) {
    if (flaw == Flaw::kEvictorFreesBeforeItLooks) {
      GiveAway(self, self->reg(rPlace));
    }
    StoreWord(self, Word(generation, kEvicting));
  } else if (step == kEvictorFence) {
    if (flaw != Flaw::kEvictorWithoutFence && !self->Fenced()) --self->at();
  } else if (step < kDecide) {
    const uint8_t pin = kPin + (step - kLookAtPins);
    if (self->Load(pin) == generation) self->reg(rPinned) = 1;
  } else if (self->reg(rPinned) != 0) {
    StoreWord(self, Word(generation, kSealed));
    // Nothing to publish: it lives.
    if (self->reg(rTask) == kEvictIt) ++self->reg(rTask);
    NextTask(self);
  }
}

void StoreStep(Thread* self, Way way, Flaw flaw) {
  const bool elsewhere = way == Way::kSendsItElsewhere;
  const uint8_t step = self->at()++;
  if (self->reg(rTask) == kChangeEntry) {
    return ChangeEntryStep(self, step, flaw);
  }
  if (self->reg(rTask) == kPublishIt) {
    return elsewhere ? ReturnStep(self, step, flaw) : PublishStep(self, step);
  }
  if (step <= kDecide) return MarkAndLookStep(self, step, flaw);
  if (self->reg(rTask) == kMoveIt) return MoveStep(self, step - kDoIt, flaw);
  if (elsewhere) return SendElsewhereStep(self, step - kDoIt);
  EvictStep(self, step - kDoIt);
}

// --- what must hold ---

// A reader that uses bytes has those of one life of the object, in memory.
std::string WrongUse(const State& state) {
  for (uint8_t reader = 0; reader < kReaders; ++reader) {
    const model::ThreadState& own = state.threads[reader];
    if (own.done != 0 || own.at != kUse) continue;
    const uint8_t place = own.registers[rSegment];
    if (place != own.registers[rOffset]) return "half old, half new";
    if (state.memory[kAlive + place] == 0) return "its bytes were given away";
  }
  return "";
}

State Start(Gets gets) {
  State start;
  start.threads[0].registers[rToGet] = gets.first;
  start.threads[0].done = gets.first == 0;
  start.threads[1].registers[rToGet] = gets.second;
  start.threads[1].done = gets.second == 0;
  start.memory[kFound] = 1;
  start.memory[kWord] = Word(1, kSealed);
  for (uint8_t i = 0; i < kPlaces; ++i) start.memory[kAlive + i] = 1;
  start.threads[kReaders].registers[rGeneration] = 1;
  return start;
}

Verdict Explore(Explorer::Stores stores, Gets gets, Way way, Flaw flaw) {
  std::vector<model::Program> programs;
  for (uint8_t reader = 0; reader < kReaders; ++reader) {
    programs.push_back([=](Thread* self) {
      ReadStep(self, static_cast<uint8_t>(kPin + reader), flaw);
    });
  }
  programs.push_back([=](Thread* self) { StoreStep(self, way, flaw); });
  Explorer explorer(stores, std::move(programs), WrongUse);
  std::string wrong = explorer.Run(Start(gets));
  return {std::move(wrong), explorer.states()};
}

class PinProtocolTest : public testing::TestWithParam<Explorer::Stores> {};

TEST_P(PinProtocolTest, NoReaderHoldsWhatWasGivenAway) {
  for (const Gets gets : kGets) {
    // One thread explores: sanitizers only make it slow.
    if (gets.second > 0 && (kThreadSanitizer || kAddressSanitizer)) continue;
    for (const Way way : {Way::kDropsIt, Way::kSendsItElsewhere}) {
      const Verdict verdict = Explore(GetParam(), gets, way, Flaw::kNone);
      EXPECT_EQ(verdict.wrong, "");
      EXPECT_GT(verdict.states, 1'000u);
      std::cout << verdict.states << " states\n";
    }
  }
}

TEST_P(PinProtocolTest, EveryFlawIsFound) {
  for (const Flaw flaw :
       {Flaw::kReaderWithoutFence, Flaw::kReaderLooksOnce,
        Flaw::kEvictorWithoutFence, Flaw::kEvictorFreesBeforeItLooks,
        Flaw::kMovesUnderTheSameGeneration, Flaw::kChangesItsEntryUnseen}) {
    for (const Way way : {Way::kDropsIt, Way::kSendsItElsewhere}) {
      EXPECT_NE(Explore(GetParam(), kGets[0], way, flaw).wrong, "") << flaw;
    }
  }
  EXPECT_NE(Explore(GetParam(), kGets[0], Way::kSendsItElsewhere,
                    Flaw::kReturnsAsItWas)
                .wrong,
            "");
}

INSTANTIATE_TEST_SUITE_P(Stores, PinProtocolTest, model::BothStores(),
                         model::NameOfStores);

}  // namespace
}  // namespace vitrine
