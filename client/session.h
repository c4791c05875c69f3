// A client's share in one run of the store: from Hello until the store, or the
// client, goes away.
//
//   opened --ClientCore::Publish--> current --ClientCore::Retire--> retired
//
// Invariants:
//  (1) A session lives as long as it is current or objects got through it are
//      in hand.
//  (2) A retired session keeps only the mappings of objects in hand.
#ifndef VITRINE_CLIENT_SESSION_H_
#define VITRINE_CLIENT_SESSION_H_

#include <vitrine/result.h>

#include <memory>
#include <string>
#include <vector>

#include "client/calls/call_pool.h"
#include "client/calls/connection.h"
#include "client/index/index_reader.h"
#include "client/index/index_waits.h"
#include "client/index/segment_cache.h"
#include "client/index/session_stripe.h"
#include "client/ring/blank_stock.h"
#include "client/ring/session_ring.h"
#include "schema/client_page.h"

namespace vitrine {

class ClientCore;

// Owns the session's connections, its view of the index, the client's page and
// the mapped segments.  Thread-safe.
class Session {
 public:
  // Connects to `path`.  Waits for answers until `deadline` or until
  // `cancel_fd` is readable.  kUnavailable: no store is there.
  static Result<std::shared_ptr<Session>> Open(std::shared_ptr<ClientCore> core,
                                               const std::string& path,
                                               const std::string& name,
                                               Deadline deadline,
                                               int cancel_fd);

  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  CallPool& calls() { return *calls_; }
  const IndexReader& index() const { return index_; }
  IndexWaits& waits() { return *waits_; }
  SessionStripe& stripe(size_t number) { return *stripes_[number]; }
  SegmentCache& segments() { return *segments_; }
  SessionRing& ring() { return *ring_; }
  BlankStock& blanks() { return *blanks_; }
  // The greatest size of an object that may go through the ring.
  uint64_t small_object_bytes() const { return small_object_bytes_; }
  const std::string& path() const { return path_; }
  const std::string& state_dir() const { return state_dir_; }

  // Maps the segment of `entry`, which belongs to `id`.  kInterrupted: the
  // index has changed, look again.  kPermissionDenied.
  Result<Mapping> MapSegment(const IndexReader::Entry& entry,
                             const std::string& id);
  // Maps an unsealed object's segment for writing; children do not get it.
  Result<Mapping> MapForWriting(const PrivateFd& fd, uint64_t size_bytes) const;

  // Serves Recalls, and tends the blanks, until the store hangs up or sends
  // nonsense, or `cancel_fd` becomes readable.  For one thread.
  Error Serve(int cancel_fd);
  // Makes Serve return.
  void Break() { life_line_->Shutdown(); }

  // Fails the puts that the store has not answered.  Call it while the session
  // is still the current one: a thread that sees no session must find these
  // puts failed.
  void EndRing(const std::string& why) { ring_->End(why); }

  // Gives back what an object had.
  void Release(size_t stripe, int pin, LocalSegment* segment);
  // Ends the session.  ClientCore has taken it out of all stripes before.
  void Retire();

  // For ClientCore's ForkListener, with all stripes locked.
  void LockForFork() NO_THREAD_SAFETY_ANALYSIS { segments_->LockForFork(); }
  void UnlockAfterFork() NO_THREAD_SAFETY_ANALYSIS {
    segments_->UnlockAfterFork();
  }
  void BecomeChilds() NO_THREAD_SAFETY_ANALYSIS;

 private:
  // What the store gives in its HelloReply.
  struct Welcome;

  Session(std::shared_ptr<ClientCore> core, const std::string& path,
          const std::string& name, std::unique_ptr<Connection> life_line,
          Welcome welcome, PrivateFd blanks_bell);

  static Result<Welcome> TakeWelcome(Connection::Message message);
  Result<PrivateFd> OpenSegment(const IndexReader::Entry& entry,
                                const std::string& id);
  Result<PrivateFd> OpenByName(const IndexReader::Entry& entry);
  Result<PrivateFd> AskForDescriptor(const IndexReader::Entry& entry,
                                     const std::string& id);
  // Maps a blank, with its pages.
  Result<Mapping> MapBlank(const PrivateFd& fd, uint64_t size_bytes) const;
  // Waits for a message; tends the blanks meanwhile.  kInterrupted:
  // `cancel_fd` is readable.
  Status AwaitMessage(int cancel_fd);
  uint64_t RoundToPages(uint64_t size_bytes) const;
  // The object counts as in hand until the end, which keeps this alive.
  void ReleaseAndUnmap(size_t stripe, uint64_t segment);

  const std::shared_ptr<ClientCore> core_;
  const std::string path_;
  const std::string state_dir_;
  const uint64_t page_bytes_;
  const uint64_t small_object_bytes_;
  const std::unique_ptr<Connection> life_line_;
  const PrivateFd segment_dir_;
  const IndexReader index_;
  const Mapping page_;
  SessionStripes stripes_;
  std::unique_ptr<IndexWaits> waits_;
  std::unique_ptr<SegmentCache> segments_;
  std::unique_ptr<CallPool> calls_;
  std::unique_ptr<SessionRing> ring_;  // After the pool, which it uses.
  const PrivateFd blanks_bell_;        // An eventfd: the blanks want tending.
  std::unique_ptr<BlankStock> blanks_;
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_SESSION_H_
