#include "store/tiers/crew.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "schema/base/mutex.h"

namespace vitrine::store {
namespace {

// Thread-safe.
class CrewJob {
 public:
  // `work` is not called after Wait has returned.
  CrewJob(size_t count, const Crew::Work& work) : count_(count), work_(work) {}

  // Works until nothing more is to begin.
  void Help() EXCLUDES(mutex_) {
    while (const auto part = Begin()) End(work_(*part));
  }

  Status Wait() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (under_way_ > 0) ended_.Wait(mutex_);
    return status_;
  }

 private:
  std::optional<size_t> Begin() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (!status_ || next_ == count_) return std::nullopt;
    ++under_way_;
    return next_++;
  }

  void End(Status status) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    --under_way_;
    if (status_) status_ = std::move(status);
    ended_.NotifyAll();
  }

  const size_t count_;
  const Crew::Work& work_;

  Mutex mutex_;
  CondVar ended_;
  size_t next_ GUARDED_BY(mutex_) = 0;
  size_t under_way_ GUARDED_BY(mutex_) = 0;
  Status status_ GUARDED_BY(mutex_);
};

std::unique_ptr<WorkerPool> StartHelpers(size_t helpers) {
  auto pool = WorkerPool::Start(helpers);
  if (pool) return *std::move(pool);
  spdlog::warn("tiers: {}", pool.error().ToString());
  return nullptr;
}

}  // namespace

Crew::Crew(size_t helpers) : helpers_(helpers), pool_(StartHelpers(helpers)) {}

Status Crew::ForEach(size_t count, const Work& work) {
  const size_t helpers =
      pool_ == nullptr || count == 0 ? 0 : std::min(helpers_, count - 1);
  // A helper that comes late finds nothing to begin, and does no work.
  const auto job = std::make_shared<CrewJob>(count, work);
  for (size_t i = 0; i < helpers; ++i) pool_->Run([job] { job->Help(); });
  job->Help();
  return job->Wait();
}

}  // namespace vitrine::store
