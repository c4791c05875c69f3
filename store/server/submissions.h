// Seals the objects that clients submit through their rings: small ones, whose
// bytes are in the ring, and blanks.
#ifndef VITRINE_STORE_SERVER_SUBMISSIONS_H_
#define VITRINE_STORE_SERVER_SUBMISSIONS_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "schema/base/mutex.h"
#include "schema/base/unique_fd.h"
#include "store/server/ring_reader.h"
#include "store/server/session_blanks.h"
#include "store/store.h"

namespace vitrine::store {

// Owns one thread, which reads all rings.  It polls them while there is work
// and for a moment after that; otherwise it sleeps until a client rings its
// bell. Thread-safe.  The store must outlive it, but pending waits for room may
// end later.
class Submissions {
 public:
  static Result<std::unique_ptr<Submissions>> Start(Store* store);
  Submissions(const Submissions&) = delete;
  Submissions& operator=(const Submissions&) = delete;
  ~Submissions();

  struct Ends {
    UniqueFd ring;
    UniqueFd bell;  // An eventfd.
  };
  // A ring for `session`, which has none, or a smaller one, which is read until
  // the client uses the new one.  `on_nonsense` is called on the thread, once,
  // if the client submits bytes that are no record.  kOutOfMemory, kOverQuota:
  // there is no memory for it now.  kAlreadyExists: the session has one as
  // large.
  Result<Ends> Open(uint64_t session, Credentials creator,
                    const RingReader::Shape& shape,
                    std::function<void()> on_nonsense) EXCLUDES(mutex_);
  // The blanks that the session's ring may seal; null: it has no ring.
  std::shared_ptr<SessionBlanks> BlanksOf(uint64_t session) const
      EXCLUDES(mutex_);
  // The session ends.  What was submitted is still sealed if there is room.
  // After that its blanks are dropped and, if the client has left, the memory
  // of its rings is freed: one that is there still reads its last answers.
  void Close(uint64_t session, bool client_left = true) EXCLUDES(mutex_);

  struct Numbers {
    uint64_t rings = 0;
    uint64_t sealed = 0;
    uint64_t blanks_sealed = 0;
    uint64_t refused = 0;
    uint64_t sleeps = 0;
  };
  Numbers Count() const;

 private:
  using Records = std::vector<RingReader::Record>;
  struct Ring {
    Ring(RingReader end, Credentials who)
        : reader(std::move(end)), creator(std::move(who)) {}

    RingReader reader;
    const Credentials creator;
    // The rings of one session share them.
    std::shared_ptr<SessionBlanks> blanks = std::make_shared<SessionBlanks>();
    UniqueFd bell;
    std::function<void()> on_nonsense;
    Records records;  // Read, not answered.
    // Its first record waits for room, or is a blank that is being sealed.
    bool waits_for_room = false;
    bool seals = false;
    bool waits() const { return waits_for_room || seals; }
    // The time since when its records wait for room without success.
    std::optional<std::chrono::steady_clock::time_point> waiting_since;
    bool broken = false;
    std::atomic<bool> forgotten = false;
    int rounds_closed = 0;
    std::atomic<bool> frees_pages = false;  // At its end.
    std::atomic<bool> closed = false;
    // The smaller one that the session had.  The client keeps it mapped, so its
    // memory stays charged.
    std::shared_ptr<Ring> former;
    std::shared_ptr<const void> charge;
  };
  using RingRef = std::shared_ptr<Ring>;
  // Messages of other threads to this one; outlives both.
  struct Inbox {
    explicit Inbox(UniqueFd fd) : bell(std::move(fd)) {}
    void Ring() const;

    const UniqueFd bell;
    Mutex mutex;
    // To what the rings wait for: room, or the seal of a blank.
    std::vector<std::pair<RingRef, Status>> answers GUARDED_BY(mutex);
  };

  Submissions(Store* store, UniqueFd epoll, std::shared_ptr<Inbox> inbox);

  struct Made {
    RingRef ring;
    Ends ends;
  };
  Result<Made> Make(Credentials creator, const RingReader::Shape& shape);
  // May the session have such a ring?
  Status Admit(uint64_t session, const Ring& ring) const REQUIRES(mutex_);
  // Wakes the thread when the client rings.
  Status WatchBell(const Ring& ring) const;

  void Run() EXCLUDES(mutex_);
  // True: there was work.
  bool Round() EXCLUDES(mutex_);
  bool TakeAnswers();
  // Hands what the ring waits for over to this thread.
  std::function<void(Status)> AnswerLater(const RingRef& ring) const;
  bool Drain(const RingRef& ring);
  // Answers as many of `ring->records` as there is room for.
  void Put(const RingRef& ring);
  // Of the small objects at its beginning.
  void PutSmall(const RingRef& ring);
  // The blank at its beginning, at once or later.
  void SealBlank(const RingRef& ring);
  void AnswerSeal(Ring* ring, const Status& sealed);
  void WaitForRoom(const RingRef& ring);
  void Refuse(Ring* ring, const Status& why);
  void AnswerFirst(Ring* ring, const std::vector<Status>& answers);
  void Forget(const RingRef& ring) EXCLUDES(mutex_);
  void Sleep() EXCLUDES(mutex_);
  std::vector<RingRef> Rings() const EXCLUDES(mutex_);

  Store* const store_;
  const UniqueFd epoll_;
  const std::shared_ptr<Inbox> inbox_;
  std::atomic<bool> stopping_ = false;
  std::atomic<uint64_t> sealed_ = 0;
  std::atomic<uint64_t> blanks_sealed_ = 0;
  std::atomic<uint64_t> refused_ = 0;
  std::atomic<uint64_t> sleeps_ = 0;

  mutable Mutex mutex_;
  std::unordered_map<uint64_t, RingRef> rings_ GUARDED_BY(mutex_);
  std::vector<RingRef> former_ GUARDED_BY(mutex_);  // Read to their end.
  std::atomic<uint64_t> changes_ = 0;               // Of `rings_`.

  // Of the thread alone.
  std::vector<RingRef> known_;
  uint64_t known_changes_ = 0;
  std::thread thread_;  // Last: it uses all of the above.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_SERVER_SUBMISSIONS_H_
