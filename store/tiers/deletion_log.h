// What was deleted of values that live on, so that it stays deleted when the
// host restarts and nothing but the external store is left.
//
// A log is a small value (small_value.h) with the name "deleted-" and a
// sequence in 16 hex digits: the numbers of objects, eight bytes each.  Logs
// add up.
#ifndef VITRINE_STORE_TIERS_DELETION_LOG_H_
#define VITRINE_STORE_TIERS_DELETION_LOG_H_

#include <vitrine/result.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "store/tiers/spill_io.h"

namespace vitrine::store {

// Not thread-safe.  `io` must outlive it.
class DeletionLog {
 public:
  explicit DeletionLog(SpillIo* io) : io_(io) {}

  // Reads the logs of an earlier store.  A log that is damaged is kept, and
  // said: what it named may be back.
  Result<std::unordered_set<uint64_t>> Load();
  // Durable when it returns OK.
  Status Append(std::span<const uint64_t> numbers);
  // `all` takes the place of all logs.
  Status Rewrite(std::span<const uint64_t> all);
  bool WantsRewrite() const { return logs_.size() > kMostLogs; }
  bool empty() const { return logs_.empty(); }

 private:
  static constexpr size_t kMostLogs = 16;

  SpillIo* const io_;
  uint64_t last_sequence_ = 0;
  std::vector<std::string> logs_;  // Their names.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TIERS_DELETION_LOG_H_
