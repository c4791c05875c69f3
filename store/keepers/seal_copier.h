// Copies what is being sealed into pages that no client ever had.
#ifndef VITRINE_STORE_KEEPERS_SEAL_COPIER_H_
#define VITRINE_STORE_KEEPERS_SEAL_COPIER_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "store/base/requests.h"
#include "store/base/worker_pool.h"
#include "store/segments/page_renewal.h"
#include "store/segments/segment_dir.h"
#include "store/table/object_table.h"

namespace vitrine::store {

// Owns two threads.  After some megabytes of an object a thread turns to the
// next one, so a small object does not wait for a large one.  Thread-safe.
class SealCopier {
 public:
  struct Parts {
    ObjectTable* table;  // These must outlive it.
    SegmentDir* segments;
    // The memory's file system is full: evicts so many bytes, as far as there
    // is something to evict.
    std::function<void(uint64_t bytes)> make_room;
  };
  static Result<std::unique_ptr<SealCopier>> Start(Parts parts);
  ~SealCopier() { Stop(); }
  // Those under way, and later ones, end with kUnavailable.
  void Stop();

  // Of a seal that has begun (Sealing::Step): renews the pages of the first
  // `size_bytes` and ends the renewal, then runs `done`: on this thread if that
  // takes no longer than a hand-over to another one.  kNotFound: it was
  // aborted.
  void Copy(const ObjectRef& object, uint64_t size_bytes, Done<void> done);

  struct Numbers {
    uint64_t under_way = 0;
    uint64_t objects = 0;
    uint64_t bytes = 0;
    uint64_t waits = 0;
  };
  Numbers Count() const;

 private:
  struct Job {
    ObjectRef object;
    PageRenewal renewal;
    Done<void> done;
    std::chrono::milliseconds pause{0};  // Of the last wait for memory.
    std::chrono::milliseconds waited{0};
  };
  using JobRef = std::shared_ptr<Job>;

  explicit SealCopier(Parts parts) : parts_(std::move(parts)) {}

  Result<PageRenewal> Begin(const ObjectRef& object, uint64_t size_bytes);
  // Some of the job; the rest comes later.
  void Run(const JobRef& job);
  // Up to a slice.
  Status Renew(PageRenewal* renewal);
  void AwaitRoom(Job* job);
  void AnswerEarly(Job* job);
  void Finish(const JobRef& job, Status status);
  void End(const ObjectRef& object, Status status, const Done<void>& done);

  const Parts parts_;
  std::atomic<bool> stopping_ = false;
  std::atomic<uint64_t> under_way_ = 0;
  std::atomic<uint64_t> objects_ = 0;
  std::atomic<uint64_t> bytes_ = 0;
  std::atomic<uint64_t> waits_ = 0;
  std::unique_ptr<WorkerPool> threads_;  // Last: it uses all of the above.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_KEEPERS_SEAL_COPIER_H_
