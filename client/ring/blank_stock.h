// The blanks that a session has ahead of its need: segments with memory, mapped
// writable, so that creating a larger object asks nobody.
//
//   asked for --the store made it--> ready --Take--> a writer's --sealed-->
//                                      |                 `--aborted--> given
//                                      back
//                                      `--idle, recalled--> given back
//
// A client that creates objects of one kind (size class and mode) steadily gets
// blanks of it.  Threads that create only take what is ready; one thread, which
// serves the session, asks the store and gives back.
//
// Invariants:
//  (1) Blanks are ready only for kinds of which kSteadyTakes were taken with
//      pauses of less than kPause, and none for kIdle; at most kMostAhead of a
//      kind, and kMostAheadBytes in all.
//  (2) A blank is ready only when the store has closed its own descriptor.
//  (3) A forked child has no blanks: it neither maps them nor speaks of them.
#ifndef VITRINE_CLIENT_RING_BLANK_STOCK_H_
#define VITRINE_CLIENT_RING_BLANK_STOCK_H_

#include <vitrine/result.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "client/base/deadline.h"
#include "client/base/fork.h"
#include "client/calls/call_pool.h"
#include "client/ring/session_ring.h"
#include "schema/base/mapping.h"
#include "schema/base/mutex.h"

namespace vitrine {

struct Blank {
  uint64_t number = 0;
  uint64_t size_bytes = 0;
  unsigned mode = 0;
  Mapping mapping;            // Writable, of whole pages.
  uint64_t forks_before = 0;  // ForksBegun before its descriptor was there.
};

// Thread-safe.  What it is given must outlive it.
class BlankStock {
 public:
  static constexpr int kSteadyTakes = 4;
  static constexpr std::chrono::seconds kPause{1};
  static constexpr std::chrono::seconds kIdle{10};
  static constexpr size_t kMostAhead = 16;
  static constexpr uint64_t kMostAheadBytes = uint64_t{32} << 20;
  static constexpr size_t kMostKinds = 8;

  struct Parts {
    CallPool* calls;
    SessionRing* ring;
    // Maps a new blank writable; children do not get it.
    std::function<Result<Mapping>(const PrivateFd&, uint64_t size_bytes)> map;
    std::function<void()> wake;  // Makes the session's thread call Tend.
  };
  explicit BlankStock(Parts parts);
  BlankStock(const BlankStock&) = delete;
  BlankStock& operator=(const BlankStock&) = delete;
  ~BlankStock();

  // A blank for an object of `size_bytes` and `mode`, if one is ready.  Counts
  // as a use of that kind either way.
  std::optional<Blank> Take(uint64_t size_bytes, unsigned mode)
      EXCLUDES(mutex_);
  // A writer has no use for it, and does not map it any more.  No other writer
  // gets it: it may have bytes that were never published.
  void GiveBack(uint64_t number) EXCLUDES(mutex_);
  // The store wants its memory.
  void Recall() EXCLUDES(mutex_);
  // The session ended: nothing is ready from now on, nor mapped.
  void Close() EXCLUDES(mutex_);

  // --- for the session's thread ---
  // Asks the store for what is wanted, and gives back what is not, until
  // `cancel_fd` is readable.
  void Tend(int cancel_fd) EXCLUDES(mutex_);
  // When to call Tend next.
  Deadline NextTending() const EXCLUDES(mutex_);

 private:
  struct Kind {
    uint64_t size_class;
    unsigned mode;
    uint64_t size_bytes;  // Of the largest object of late.
    int takes = 0;        // Without a long pause.
    Deadline last_take{};
    Deadline not_before{};  // The store had no memory for more.
    std::vector<Blank> ready = {};

    bool IsFor(uint64_t its_size_class, unsigned its_mode) const {
      return size_class == its_size_class && mode == its_mode;
    }
    // How many should be ready.
    size_t Target() const;
  };
  // What one request to the store is for.
  struct Wish {
    uint64_t size_class;
    unsigned mode;
    uint64_t size_bytes;
    size_t count;
  };

  // Behind a pointer, so that a forked child can forget it as it is.
  struct State {
    bool closed = false;
    std::vector<Kind> kinds = {};
    std::vector<uint64_t> unwanted = {};  // To be given back.
  };

  Kind* FindOrAdd(uint64_t size_bytes, unsigned mode) REQUIRES(mutex_);
  static bool IsWanting(const Kind& kind, Deadline now);
  uint64_t ReadyBytes() const REQUIRES(mutex_);
  void Discard(std::vector<Blank>* blanks) REQUIRES(mutex_);
  std::optional<Wish> NextWish() EXCLUDES(mutex_);
  // kOutOfMemory: the store gives no more now; `*blanks` has what it gave.
  Status Ask(const Wish& wish, int cancel_fd, std::vector<Blank>* blanks);
  // One request for up to `count`.
  Status AskForSome(const Wish& wish, size_t count, int cancel_fd,
                    std::vector<Blank>* blanks);
  void Settle(const Wish& wish, const Status& asked, std::vector<Blank> got)
      EXCLUDES(mutex_);
  void DiscardIdle() EXCLUDES(mutex_);
  void SendUnwanted(int cancel_fd) EXCLUDES(mutex_);

  const Parts parts_;
  const uint64_t fork_generation_;
  std::atomic<bool> refused_{false};  // This store has no blanks.

  mutable Mutex mutex_;
  std::unique_ptr<State> state_ GUARDED_BY(mutex_);
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_RING_BLANK_STOCK_H_
