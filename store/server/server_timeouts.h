#ifndef VITRINE_STORE_SERVER_SERVER_TIMEOUTS_H_
#define VITRINE_STORE_SERVER_SERVER_TIMEOUTS_H_

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "store/store.h"

namespace vitrine::store::server {

// The deadline of a protocol's timeout that began at `since`.  Negative: never.
// A client's value is bounded so that the clock does not overflow.
inline Deadline DeadlineAfter(
    int64_t timeout_ms, Deadline since = std::chrono::steady_clock::now()) {
  constexpr int64_t kLongestMs = int64_t{365} * 24 * 3600 * 1000;
  if (timeout_ms < 0) return Deadline::max();
  return since + std::chrono::milliseconds(std::min(timeout_ms, kLongestMs));
}

}  // namespace vitrine::store::server

#endif  // VITRINE_STORE_SERVER_SERVER_TIMEOUTS_H_
