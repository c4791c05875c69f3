#ifndef VITRINE_CLIENT_RING_SESSION_RING_H_
#define VITRINE_CLIENT_RING_SESSION_RING_H_

#include <vitrine/result.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "client/base/deadline.h"
#include "client/calls/call_pool.h"
#include "client/ring/put_failures.h"
#include "client/ring/ring_writer.h"
#include "schema/base/mutex.h"

namespace vitrine {

// The submission ring of one session.  Asks the store for it at the first use,
// and keeps what it gets.  A refusal is for good, unless something was only
// short: then a use after a second asks again.  Thread-safe.  The CallPool and
// the PutFailures must outlive it.
class SessionRing {
 public:
  // `on_nonsense`, `spin`: see RingWriter::Open.
  SessionRing(CallPool* calls, PutFailures* failures,
              std::function<void()> on_nonsense,
              std::chrono::nanoseconds spin = {});

  // Null: this store has no ring for the session, or none now.  The ring is
  // valid as long as this lives.
  Result<RingWriter*> Get() EXCLUDES(mutex_) {
    RingWriter* const ring = ring_.load(std::memory_order_acquire);
    return ring != nullptr ? ring : Open();
  }

  // Waits for all puts through the ring.  kTimeout.
  Status Flush(Deadline deadline) {
    RingWriter* const ring = ring_.load(std::memory_order_acquire);
    return ring != nullptr ? ring->Flush(deadline) : Status();
  }

  // The session ended.  Does nothing in a forked child.
  void End(const std::string& why) EXCLUDES(mutex_);

 private:
  enum class State : uint8_t { kUnopened, kOpening, kOpen, kRefused, kEnded };

  Result<RingWriter*> Open() EXCLUDES(mutex_);
  // The state before.  If it is kUnopened, the caller has to open the ring.
  State Begin() EXCLUDES(mutex_);
  Result<RingWriter::Ends> Ask(uint32_t bytes, uint32_t first_record);
  Result<std::unique_ptr<RingWriter>> OpenFirst();
  Result<RingWriter*> Settle(Result<std::unique_ptr<RingWriter>> answer)
      EXCLUDES(mutex_);
  Error Ended() const EXCLUDES(mutex_);

  CallPool* const calls_;
  PutFailures* const failures_;
  const std::chrono::nanoseconds spin_;
  const std::function<void()> on_nonsense_;
  const uint64_t fork_generation_;

  std::atomic<RingWriter*> ring_{nullptr};  // Set once it is open.

  mutable Mutex mutex_;
  State state_ GUARDED_BY(mutex_) = State::kUnopened;
  Deadline refused_until_ GUARDED_BY(mutex_) = {};
  std::string why_ GUARDED_BY(mutex_);
  std::unique_ptr<RingWriter> owned_ GUARDED_BY(mutex_);
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_RING_SESSION_RING_H_
