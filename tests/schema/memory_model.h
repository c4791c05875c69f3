// Runs small concurrent programs in every order that a processor may choose.
//
// Each thread has a store buffer in front of the memory, as in x86-TSO (Owens,
// Sarkar, Sewell: A Better x86 Memory Model, 2009).  With stores that overtake
// each other (PSO; releases overtake nothing) it also does what weaker
// processors do to writers.  Loads are not reordered: that readers order theirs
// by acquire is taken for granted.
#ifndef VITRINE_TESTS_SCHEMA_MEMORY_MODEL_H_
#define VITRINE_TESTS_SCHEMA_MEMORY_MODEL_H_

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

namespace vitrine::model {

constexpr size_t kVariables = 16;
constexpr size_t kRegisters = 8;
constexpr size_t kBufferLength = 8;
constexpr size_t kMostThreads = 3;

struct Pending {
  uint8_t variable;
  uint8_t value;
  uint8_t release;
};

// Bytes only: states are compared and remembered as such.
struct ThreadState {
  uint8_t at = 0;  // The next step of its program.
  uint8_t done = 0;
  uint8_t pending_count = 0;
  std::array<uint8_t, kRegisters> registers = {};
  std::array<Pending, kBufferLength> pending = {};
};

struct State {
  std::array<uint8_t, kVariables> memory = {};
  std::array<ThreadState, kMostThreads> threads = {};
};
static_assert(std::has_unique_object_representations_v<State>);

// What one thread sees of a state, and does to it.
class Thread {
 public:
  Thread(State* state, size_t number)
      : state_(*state), own_(state->threads[number]) {}

  uint8_t& at() { return own_.at; }
  uint8_t& reg(size_t number) { return own_.registers[number]; }
  void Finish() { own_.done = 1; }

  // Its own newest store, or what is in memory.
  uint8_t Load(uint8_t variable) const {
    for (size_t i = own_.pending_count; i > 0; --i) {
      const Pending& pending = own_.pending[i - 1];
      if (pending.variable == variable) return pending.value;
    }
    return state_.memory[variable];
  }
  void Store(uint8_t variable, uint8_t value) { Push({variable, value, 0}); }
  void StoreRelease(uint8_t variable, uint8_t value) {
    Push({variable, value, 1});
  }
  // A full fence is passed when all stores are in memory.
  bool Fenced() const { return own_.pending_count == 0; }
  // What happens outside of the memory model, at once and for everybody.
  uint8_t& world(uint8_t variable) { return state_.memory[variable]; }

 private:
  void Push(Pending pending) { own_.pending[own_.pending_count++] = pending; }

  State& state_;
  ThreadState& own_;
};

// Does one step.  A step that is not possible now changes nothing.
using Program = std::function<void(Thread* thread)>;
// Empty, or what is wrong with a state.
using Check = std::function<std::string(const State& state)>;

class Explorer {
 public:
  enum class Stores { kInOrder, kOvertake };

  Explorer(Stores stores, std::vector<Program> programs, Check check)
      : stores_(stores),
        programs_(std::move(programs)),
        check_(std::move(check)) {}

  // Visits every state that can be reached from `start`; returns what is wrong
  // with the first bad one, or nothing.
  std::string Run(const State& start) {
    Reach(start);
    while (!ahead_.empty() && wrong_.empty()) {
      const State state = ahead_.back();
      ahead_.pop_back();
      Expand(state);
    }
    return wrong_;
  }
  size_t states() const { return seen_.size(); }

 private:
  void Reach(const State& state) {
    if (!seen_
             .insert(std::string(reinterpret_cast<const char*>(&state),
                                 sizeof(state)))
             .second) {
      return;
    }
    if (wrong_.empty()) wrong_ = check_(state);
    ahead_.push_back(state);
  }

  void Expand(const State& state) {
    for (size_t i = 0; i < programs_.size(); ++i) {
      const ThreadState& thread = state.threads[i];
      for (size_t j = 0; j < thread.pending_count; ++j) {
        if (MayReachMemory(thread, j)) Reach(WithStored(state, i, j));
      }
      // Room for the most that one step stores.
      if (thread.done != 0 || thread.pending_count == kBufferLength) continue;
      State next = state;
      Thread view(&next, i);
      programs_[i](&view);
      Reach(next);
    }
  }

  bool MayReachMemory(const ThreadState& thread, size_t number) const {
    if (number == 0) return true;
    const Pending& pending = thread.pending[number];
    if (stores_ == Stores::kInOrder || pending.release != 0) return false;
    for (size_t i = 0; i < number; ++i) {
      if (thread.pending[i].variable == pending.variable) return false;
    }
    return true;
  }

  static State WithStored(const State& state, size_t thread, size_t number) {
    State next = state;
    ThreadState& own = next.threads[thread];
    next.memory[own.pending[number].variable] = own.pending[number].value;
    for (size_t i = number + 1; i < own.pending_count; ++i) {
      own.pending[i - 1] = own.pending[i];
    }
    own.pending[--own.pending_count] = {};
    return next;
  }

  const Stores stores_;
  const std::vector<Program> programs_;
  const Check check_;
  std::unordered_set<std::string> seen_;
  std::vector<State> ahead_;
  std::string wrong_;
};

struct Verdict {
  std::string wrong;
  size_t states;
};

// For the instantiation of tests that have Stores as their parameter.
inline auto BothStores() {
  return testing::Values(Explorer::Stores::kInOrder,
                         Explorer::Stores::kOvertake);
}
inline std::string NameOfStores(
    const testing::TestParamInfo<Explorer::Stores>& stores) {
  return stores.param == Explorer::Stores::kInOrder ? "InOrder" : "Overtake";
}

}  // namespace vitrine::model

#endif  // VITRINE_TESTS_SCHEMA_MEMORY_MODEL_H_
