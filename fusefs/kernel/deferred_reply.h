// Requests that are answered later, and their interruption.
//
//   STARTING --Park--> PARKED --answer--> ANSWERED
//       |                 `--interrupt: EINTR--^
//       `--answer before Park: Park replies----^
//
// Invariants:
//  (1) Each request gets exactly one reply.
//  (2) No lock is held at the reply.
//  (3) A request that was interrupted or cancelled does nothing: either its
//  work
//      claims it or its end does.
#ifndef VITRINE_FUSEFS_KERNEL_DEFERRED_REPLY_H_
#define VITRINE_FUSEFS_KERNEL_DEFERRED_REPLY_H_

#include <fuse3/fuse_lowlevel.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>

#include "schema/base/mutex.h"

namespace vitrine::fusefs {

class DeferredReplies;

// One request.  Thread-safe.
class DeferredReply : public std::enable_shared_from_this<DeferredReply> {
 public:
  using Reply = std::function<void(fuse_req_t)>;

  DeferredReply(DeferredReplies* all, fuse_req_t request)
      : all_(all), request_(request) {}

  // Answers with `reply`, unless the request was answered before.
  void Answer(Reply reply) EXCLUDES(mutex_);
  // True: from now on only the caller ends the request, by Answer.  False: the
  // request was claimed, interrupted or answered before.
  bool Claim() EXCLUDES(mutex_);
  // Call it when the method that may answer later has returned.
  // `interruptible`: on a signal to the caller, `on_interrupt` is called and
  // the request ends with EINTR.
  void Park(bool interruptible, std::function<void()> on_interrupt)
      EXCLUDES(mutex_);
  // Ends the request with `error`, unless it is claimed.
  void Cancel(int error) EXCLUDES(mutex_);

 private:
  friend class DeferredReplies;
  enum class State : uint8_t { kStarting, kParked, kAnswered };

  void Interrupt() EXCLUDES(mutex_);

  DeferredReplies* const all_;
  const fuse_req_t request_;

  Mutex mutex_;
  State state_ GUARDED_BY(mutex_) = State::kStarting;
  bool claimed_ GUARDED_BY(mutex_) = false;
  Reply early_ GUARDED_BY(mutex_);  // The answer, if it came before Park.
  std::function<void()> on_interrupt_ GUARDED_BY(mutex_);
  uint64_t token_ GUARDED_BY(mutex_) = 0;
};

// All requests that are parked.  Thread-safe.
class DeferredReplies {
 public:
  std::shared_ptr<DeferredReply> Start(fuse_req_t request) {
    return std::make_shared<DeferredReply>(this, request);
  }
  // Ends all requests; none is left when it returns.  Call it when no more
  // requests are parked.
  void CancelAll(int error) EXCLUDES(mutex_);
  size_t size() const EXCLUDES(mutex_);

 private:
  friend class DeferredReply;

  uint64_t Add(std::shared_ptr<DeferredReply> reply) EXCLUDES(mutex_);
  void Remove(uint64_t token) EXCLUDES(mutex_);
  std::shared_ptr<DeferredReply> Find(uint64_t token) const EXCLUDES(mutex_);
  // libfuse's callback.  `token` is a number, because the request may be
  // answered and freed just before the call.
  static void OnInterrupt(fuse_req_t request, void* token);

  mutable Mutex mutex_;
  CondVar none_left_;
  uint64_t last_ GUARDED_BY(mutex_) = 0;
  std::unordered_map<uint64_t, std::shared_ptr<DeferredReply>> parked_
      GUARDED_BY(mutex_);
};

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_KERNEL_DEFERRED_REPLY_H_
