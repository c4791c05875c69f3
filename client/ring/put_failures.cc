#include "client/ring/put_failures.h"

#include <string>
#include <utility>

namespace vitrine {

void PutFailures::Add(FailedPut failed) {
  MutexLock lock(mutex_);
  if (kept_.size() < kMaxKept) {
    kept_.push_back(std::move(failed));
    return;
  }
  ++not_kept_;
  if (!first_not_kept_.has_value()) first_not_kept_ = std::move(failed);
}

std::vector<FailedPut> PutFailures::Take() {
  MutexLock lock(mutex_);
  std::vector<FailedPut> taken = std::exchange(kept_, {});
  if (!first_not_kept_.has_value()) return taken;
  FailedPut rest = *std::exchange(first_not_kept_, std::nullopt);
  const uint64_t others = std::exchange(not_kept_, 0) - 1;
  rest.error.message += "; and " + std::to_string(others) +
                        " later puts failed, too, which are not listed";
  taken.push_back(std::move(rest));
  return taken;
}

}  // namespace vitrine
