#ifndef VITRINE_CLIENT_RING_PUT_FAILURES_H_
#define VITRINE_CLIENT_RING_PUT_FAILURES_H_

#include <vitrine/client.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "schema/base/mutex.h"

namespace vitrine {

// The pipelined puts of one client that failed and that no flush has taken
// yet.  Its size is bounded: more failures are only counted.  One entry, the
// last, stands for them; its id is that of the first of them.  Thread-safe; no
// other lock is taken within.
class PutFailures {
 public:
  static constexpr size_t kMaxKept = 10000;

  void Add(FailedPut failed) EXCLUDES(mutex_);
  // All failures since the last Take.
  std::vector<FailedPut> Take() EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  std::vector<FailedPut> kept_ GUARDED_BY(mutex_);
  std::optional<FailedPut> first_not_kept_ GUARDED_BY(mutex_);
  uint64_t not_kept_ GUARDED_BY(mutex_) = 0;
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_RING_PUT_FAILURES_H_
