// The state that a client and the objects it got share: the stripes, and the
// current session.  Lives as long as the client or any of its objects.
//
// Lock order: the fork registry's mutex, `mutex_`, a SegmentCache's mutex, a
// stripe's lock.  A CallPool's mutex is taken with none of these held.  The
// same holds for a SessionRing's mutex, a RingWriter's two and that of the
// PutFailures, which are taken in this order.
#ifndef VITRINE_CLIENT_CLIENT_CORE_H_
#define VITRINE_CLIENT_CLIENT_CORE_H_

#include <vitrine/object_id.h>
#include <vitrine/result.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "client/base/fork.h"
#include "client/index/session_stripe.h"
#include "client/mapped_object.h"
#include "client/ring/put_failures.h"
#include "client/session.h"
#include "schema/base/mutex.h"

namespace vitrine {

// A reference to the current session, which it keeps alive.
class HeldSession {
 public:
  HeldSession() = default;  // There is none.
  // The caller has counted it as in hand in `stripe`.
  HeldSession(Session* session, size_t stripe)
      : session_(session), stripe_(stripe) {}
  HeldSession(HeldSession&& other) noexcept
      : session_(std::exchange(other.session_, nullptr)),
        stripe_(other.stripe_) {}
  HeldSession& operator=(HeldSession&&) = delete;
  ~HeldSession() {
    if (session_ == nullptr) return;
    session_->Release(stripe_, SessionStripe::kNoPin, nullptr);
  }

  Session* get() const { return session_; }
  Session* operator->() const { return session_; }

 private:
  Session* session_ = nullptr;
  size_t stripe_ = 0;
};

// Thread-safe.
class ClientCore : private ForkListener {
 public:
  // `spin`: how long waits spin before they sleep.
  explicit ClientCore(std::chrono::nanoseconds spin = {})
      : fork_generation_(ForkGeneration()), spin_(spin), registration_(this) {}

  std::chrono::nanoseconds spin() const { return spin_; }

  bool IsForked() const { return fork_generation_ != ForkGeneration(); }
  // kForked, or nothing.
  Status CheckFork() const;

  ClientStripe& stripe(size_t number) { return stripes_[number]; }

  // The current session.  kForked.  kDisconnected: there is none.
  Result<std::shared_ptr<Session>> Current() EXCLUDES(mutex_);
  // The same without contention, for hot paths.  None: Current says why.
  HeldSession Hold();
  // Makes `session` the current one.  There must be none.
  void Publish(const std::shared_ptr<Session>& session) EXCLUDES(mutex_);
  // Takes the current session out of use.  From now on calls fail with `why`.
  void Retire(const std::string& why) EXCLUDES(mutex_);
  // Changes the error message of calls while there is no session.
  void SetWhy(const std::string& why) EXCLUDES(mutex_);

  PutFailures& put_failures() { return put_failures_; }

  // All sessions that exist, for forks.
  void Add(Session* session) EXCLUDES(mutex_);
  void Remove(Session* session) EXCLUDES(mutex_);

  enum class Outcome : uint8_t {
    kGot,
    kAbsent,     // Not sealed at this moment.
    kElsewhere,  // Sealed, but not in memory.
    kBusy,       // The store is changing it: ask again in a moment.
    kFailed,
    // Only of the inner steps; TryGet and TryFind do not return these.
    kNoPin,
    kDisconnected,
    kCorrupt,
  };
  struct Attempt {
    Outcome outcome;
    std::shared_ptr<MappedObject> object;  // Of TryGet, if kGot.
    Error error{};                         // If kFailed.
  };
  // One attempt to get a sealed object.  A get of a resident object that is
  // mapped already takes no system call.
  Attempt TryGet(const ObjectId& id);
  // See IndexReader::Prefetch.
  void Prefetch(std::span<const std::string_view> ids);
  // One attempt to find it in the index only.
  Attempt TryFind(const ObjectId& id, IndexReader::Entry* entry);

 private:
  enum class Pinning : uint8_t { kPin, kMappingOnly };

  static Outcome FindIn(const Session& session, const ObjectId& id,
                        IndexReader::Entry* entry);
  Outcome HoldIn(size_t stripe, const ObjectId& id, Pinning pinning,
                 IndexReader::Entry* entry, MappedObject* object);
  Attempt Finish(const IndexReader::Entry& entry, const ObjectId& id,
                 Pinning pinning, std::shared_ptr<MappedObject> object);
  Attempt Explain(Outcome outcome) EXCLUDES(mutex_);
  static Attempt Failed(Error error);

  void BeforeFork() override NO_THREAD_SAFETY_ANALYSIS;
  void AfterForkInParent() override NO_THREAD_SAFETY_ANALYSIS;
  void AfterForkInChild() override NO_THREAD_SAFETY_ANALYSIS;
  void UnlockAfterFork() NO_THREAD_SAFETY_ANALYSIS;

  const uint64_t fork_generation_;
  const std::chrono::nanoseconds spin_;
  ClientStripes stripes_;
  PutFailures put_failures_;  // Locks itself.

  Mutex mutex_;
  std::shared_ptr<Session> current_ GUARDED_BY(mutex_);
  std::string why_ GUARDED_BY(mutex_) = "not connected yet";
  std::vector<Session*> sessions_ GUARDED_BY(mutex_);

  ForkRegistration registration_;  // Last: forks see all of the above.
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_CLIENT_CORE_H_
