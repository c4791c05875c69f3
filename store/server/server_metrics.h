// The server's values of `status`.
#ifndef VITRINE_STORE_SERVER_SERVER_METRICS_H_
#define VITRINE_STORE_SERVER_SERVER_METRICS_H_

#include <cstdint>
#include <string>

#include "store/metrics/status_section.h"
#include "store/server/server_stats.h"
#include "store/server/submissions.h"

namespace vitrine::store::server {

struct ServerFacts {
  std::string socket_path;
  uint64_t waits;
  uint64_t tasks_queued;
};

StatusSection ServerSection(const ServerFacts& facts, const ServerStats& stats,
                            const Submissions::Numbers& rings);

}  // namespace vitrine::store::server

#endif  // VITRINE_STORE_SERVER_SERVER_METRICS_H_
