#include "client/ring/session_ring.h"

#include <utility>

#include "client/base/fork.h"
#include "client/base/spin_lock.h"

namespace vitrine {
namespace {

constexpr std::chrono::seconds kRefusedTime{1};

// Memory or a share of something may be had later.
bool MayEnd(Code code) { return code == Code::kOutOfMemory || IsRefusal(code); }

// kAlreadyExists: the store gave the ring before, but it could not be mapped.
// No caller may take that code for an answer about an object.
bool MeansNone(Code code) {
  return code == Code::kUnsupported || code == Code::kAlreadyExists ||
         MayEnd(code);
}

}  // namespace

SessionRing::SessionRing(CallPool* calls, PutFailures* failures,
                         std::function<void()> on_nonsense,
                         std::chrono::nanoseconds spin)
    : calls_(calls),
      failures_(failures),
      spin_(spin),
      on_nonsense_(std::move(on_nonsense)),
      fork_generation_(ForkGeneration()) {}

Result<RingWriter*> SessionRing::Open() {
  // Polls, because a condition variable on which a thread of the parent waits
  // could not be destroyed in a forked child.
  Backoff backoff;
  while (true) {
    if (RingWriter* const ring = ring_.load(std::memory_order_acquire)) {
      return ring;
    }
    switch (Begin()) {
      case State::kUnopened:  // Now it is this thread's to open.
        return Settle(OpenFirst());
      case State::kRefused:
        return static_cast<RingWriter*>(nullptr);
      case State::kEnded:
        return Ended();
      case State::kOpening:
      case State::kOpen:
        backoff.Pause();
    }
  }
}

SessionRing::State SessionRing::Begin() {
  MutexLock lock(mutex_);
  if (state_ == State::kRefused && Clock::now() >= refused_until_) {
    state_ = State::kUnopened;
  }
  const State before = state_;
  if (state_ == State::kUnopened) state_ = State::kOpening;
  return before;
}

Result<RingWriter::Ends> SessionRing::Ask(uint32_t bytes,
                                          uint32_t first_record) {
  protocol::OpenRingT request;
  request.bytes = bytes;
  request.first_record = first_record;
  auto answer = calls_->Ask<protocol::OpenRingReply>(request);
  if (!answer) return answer.error();
  if (answer->fds.size() != 2) {
    return Error{Code::kCorruption, "the store sent no submission ring"};
  }
  return RingWriter::Ends{std::move(answer->fds[0]), std::move(answer->fds[1])};
}

Result<std::unique_ptr<RingWriter>> SessionRing::OpenFirst() {
  auto ends = Ask(kLeastRingBytes, 0);
  auto ring =
      ends ? RingWriter::Open(std::move(*ends), failures_, on_nonsense_, spin_,
                              [this](uint32_t bytes, uint32_t first_record) {
                                return Ask(bytes, first_record);
                              })
           : Result<std::unique_ptr<RingWriter>>(ends.error());
  if (!ring && ring.error().code == Code::kCorruption) on_nonsense_();
  return ring;
}

// Combines the store's answer with the state that the session has by now.
Result<RingWriter*> SessionRing::Settle(
    Result<std::unique_ptr<RingWriter>> answer) {
  MutexLock lock(mutex_);
  const bool ended = state_ == State::kEnded;
  if (!answer) {
    // The session may have ended because of this very answer.
    const Code code = answer.error().code;
    const bool refused = MeansNone(code);
    refused_until_ = MayEnd(code) ? Clock::now() + kRefusedTime : kNoDeadline;
    if (!ended) state_ = refused ? State::kRefused : State::kUnopened;
    if (refused) return static_cast<RingWriter*>(nullptr);
    return answer.error();
  }
  if (ended) return Error{Code::kDisconnected, why_};
  owned_ = std::move(*answer);
  ring_.store(owned_.get(), std::memory_order_release);
  state_ = State::kOpen;
  return owned_.get();
}

Error SessionRing::Ended() const {
  MutexLock lock(mutex_);
  return Error{Code::kDisconnected, why_};
}

void SessionRing::End(const std::string& why) {
  if (fork_generation_ != ForkGeneration()) return;
  MutexLock lock(mutex_);
  state_ = State::kEnded;
  why_ = why;
  if (owned_ != nullptr) owned_->End(why);
}

}  // namespace vitrine
