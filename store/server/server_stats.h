#ifndef VITRINE_STORE_SERVER_SERVER_STATS_H_
#define VITRINE_STORE_SERVER_SERVER_STATS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "schema/protocol.h"

namespace vitrine::store::server {

// Counters of one server.  Written on its loop, read by any thread.
struct ServerStats {
  using Counter = std::atomic<uint64_t>;

  // Current numbers.
  Counter connections = 0;
  Counter sessions = 0;
  Counter subscriptions = 0;
  Counter waits = 0;
  // Totals since the start.
  Counter accepted = 0;
  Counter refused = 0;           // Too many connections.
  Counter never_said_hello = 0;  // Closed because no Hello came in time.
  Counter protocol_errors = 0;
  // Counted once for each subscriber: it did not read, or the loop fell behind.
  Counter events_dropped = 0;
  Counter recalls_dropped = 0;
  std::array<Counter, static_cast<size_t>(protocol::RequestBody::MAX) + 1>
      requests = {};
};

}  // namespace vitrine::store::server

#endif  // VITRINE_STORE_SERVER_SERVER_STATS_H_
