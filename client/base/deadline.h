// Points in time until which a call may wait.
#ifndef VITRINE_CLIENT_BASE_DEADLINE_H_
#define VITRINE_CLIENT_BASE_DEADLINE_H_

#include <vitrine/client.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>

namespace vitrine {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

inline constexpr Deadline kNoDeadline = Deadline::max();

// Longer timeouts are cut to this, which cannot overflow the clock.
inline constexpr int64_t kLongestTimeoutMs = int64_t{1000} * 1000 * 1000 * 1000;

// A live store answers within this time after the request's own timeout.  A
// store that does not counts as gone.
inline constexpr std::chrono::seconds kAnswerGrace{60};

inline Deadline DeadlineAfter(int64_t timeout_ms) {
  if (timeout_ms < 0 || timeout_ms > kLongestTimeoutMs) return kNoDeadline;
  return Clock::now() + std::chrono::milliseconds(timeout_ms);
}

// In the protocol's form: -1 for kNever.
inline int64_t ProtocolMs(Timeout timeout) {
  return timeout == kNever ? -1 : std::max<int64_t>(timeout.count(), 0);
}

inline Deadline DeadlineAfter(Timeout timeout) {
  return DeadlineAfter(ProtocolMs(timeout));
}

// A poll waits so long for an object that is sealed and not in memory.
inline constexpr std::chrono::seconds kPollsReturn{60};

// Until when a get with `timeout` waits for an object to come back into memory.
inline Deadline ReturnDeadline(Timeout timeout) {
  return timeout <= kPoll ? Clock::now() + kPollsReturn
                          : DeadlineAfter(timeout);
}

// Milliseconds until `deadline`, rounded up: -1 for kNoDeadline, 0 if it has
// passed.
inline int64_t RemainingMs(Deadline deadline) {
  if (deadline == kNoDeadline) return -1;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  return std::max<int64_t>(left.count(), 0);
}

// The same for poll(2), which may return early: call it in a loop.
inline int PollTimeoutMs(Deadline deadline) {
  return static_cast<int>(std::min<int64_t>(RemainingMs(deadline),
                                            std::numeric_limits<int>::max()));
}

// The deadline of an answer, if the store may take until `deadline`.
inline Deadline AnswerDeadline(Deadline deadline) {
  return deadline == kNoDeadline
             ? kNoDeadline
             : std::max(deadline, Clock::now()) + kAnswerGrace;
}

}  // namespace vitrine

#endif  // VITRINE_CLIENT_BASE_DEADLINE_H_
