#include "store/keepers/seal_copier.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace vitrine::store {
namespace {

constexpr size_t kCopyThreads = 2;
// Takes no longer than a hand-over to another thread and back.
constexpr uint64_t kCopiedAtOnceBytes = uint64_t{1} << 20;
// Some 3 ms.
constexpr uint64_t kSliceBytes = uint64_t{16} << 20;
constexpr auto kFirstRoomPause = std::chrono::milliseconds(1);
// Whoever seals is told after so long that there is no memory.
constexpr auto kCopyPatience = std::chrono::milliseconds(1000);
constexpr auto kLongestRoomPause = std::chrono::milliseconds(200);

}  // namespace

Result<std::unique_ptr<SealCopier>> SealCopier::Start(Parts parts) {
  std::unique_ptr<SealCopier> copier(new SealCopier(std::move(parts)));
  auto threads = WorkerPool::Start(kCopyThreads);
  if (!threads) return threads.error();
  copier->threads_ = *std::move(threads);
  return copier;
}

void SealCopier::Stop() {
  stopping_ = true;
  if (threads_ != nullptr) threads_->Shutdown();
}

SealCopier::Numbers SealCopier::Count() const {
  return {.under_way = under_way_,
          .objects = objects_,
          .bytes = bytes_,
          .waits = waits_};
}

void SealCopier::Copy(const ObjectRef& object, uint64_t size_bytes,
                      Done<void> done) {
  ++under_way_;
  auto renewal = Begin(object, size_bytes);
  if (!renewal) return End(object, renewal.error(), done);
  const auto job =
      std::make_shared<Job>(Job{object, *std::move(renewal), std::move(done)});
  if (job->renewal.end_bytes() <= kCopiedAtOnceBytes) return Run(job);
  threads_->Run([this, job] { Run(job); });
}

Result<PageRenewal> SealCopier::Begin(const ObjectRef& object,
                                      uint64_t size_bytes) {
  auto file = parts_.table->sealed().Share(object);
  if (!file) return file.error();
  return PageRenewal::Begin(parts_.segments, NumberOf(*object),
                            *std::move(file), size_bytes);
}

void SealCopier::Run(const JobRef& job) {
  Status status = Renew(&job->renewal);
  const bool gone = !status && status.error().code == Code::kNotFound;
  // Its bytes are in this process only, so nobody gives up here: the store is
  // owed the memory that the object has just given back.
  const bool waits = !job->renewal.whole() && !gone;
  if (job->renewal.done() || (!status && !waits)) {
    return Finish(job, std::move(status));
  }
  if (stopping_) {
    return Finish(job, Error{Code::kUnavailable, "the store ends"});
  }
  // In the queue it is behind the others, so that they have their turn.
  threads_->Run([this, job, waits] {
    if (waits) AwaitRoom(job.get());
    Run(job);
  });
}

Status SealCopier::Renew(PageRenewal* renewal) {
  const uint64_t until = renewal->renewed_bytes() + kSliceBytes;
  while (!renewal->done() && renewal->renewed_bytes() < until) {
    if (stopping_) break;
    if (Status ok = renewal->Step(); !ok) return ok;
  }
  return Status();
}

void SealCopier::AwaitRoom(Job* job) {
  ++waits_;
  parts_.make_room(parts_.segments->largest_page_bytes());
  job->pause = std::clamp(2 * job->pause, kFirstRoomPause, kLongestRoomPause);
  if (!stopping_) std::this_thread::sleep_for(job->pause);
  job->waited += job->pause;
  if (job->waited >= kCopyPatience) AnswerEarly(job);
}

// A rename that is not answered locks two directories.  The object gets its
// bytes back all the same, and may be sealed then.  A blank has no name.
void SealCopier::AnswerEarly(Job* job) {
  if (!job->done) return;
  const ObjectInfo info = parts_.table->queries().Info(job->object);
  if (info.state == ObjectState::kBlank) return;
  std::exchange(job->done, nullptr)(
      Error{Code::kOutOfMemory,
            "others took the memory of the object while it was copied; it can "
            "be sealed once there is some"});
}

void SealCopier::Finish(const JobRef& job, Status status) {
  if (status) status = job->renewal.Finish();
  if (status) {
    ++objects_;
    bytes_ += job->renewal.renewed_bytes();
  }
  End(job->object, std::move(status), job->done);
}

void SealCopier::End(const ObjectRef& object, Status status,
                     const Done<void>& done) {
  --under_way_;
  parts_.table->sealing().EndRenewal(object, status.has_value());
  if (done) done(std::move(status));
}

}  // namespace vitrine::store
