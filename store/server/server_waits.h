#ifndef VITRINE_STORE_SERVER_SERVER_WAITS_H_
#define VITRINE_STORE_SERVER_SERVER_WAITS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "schema/protocol.h"
#include "store/base/observer.h"
#include "store/server/server_loop.h"
#include "store/server/server_stats.h"
#include "store/store.h"

namespace vitrine::store::server {

// The waits for ids to be sealed.  No wait misses a seal: a wait is added
// before the store is asked, and an event comes after its change.  On the
// loop's thread only.
class WaitTable {
 public:
  using State = protocol::WaitState;
  using Finish = std::function<void(const std::vector<State>& states)>;

  struct Request {
    std::vector<ObjectId> ids;  // May repeat.
    // End when this many distinct ids are sealed.  0, or more than there are:
    // all of them.
    size_t need = 0;
    Deadline deadline;
    bool stop_when_gone = false;  // End when one of them is gone as well.
  };

  // Keeps `stats->waits` at least as large as the number of waits.
  WaitTable(Store* store, EventLoop* loop, ServerStats* stats)
      : store_(store), loop_(loop), stats_(stats) {}

  // Calls `finish` once, with the states in the order of the ids; maybe before
  // it returns.  One wait for each `waiter` at a time.
  void Start(uint64_t waiter, Request request, Finish finish);
  // `finish` will not be called.
  void Cancel(uint64_t waiter);
  void OnEvent(const ObjectEvent& event);
  // Events were lost: asks the store for the state of all awaited ids.
  void LookAgain();
  size_t size() const { return waits_.size(); }

 private:
  struct Wait {
    Request request;
    Finish finish;
    std::map<ObjectId, State> states;  // The distinct ids.
    size_t sealed = 0;
    bool gone = false;
    EventLoop::Timer timer;
  };

  bool IsOver(const Wait& wait) const;
  // The id's state in the store now.
  State Look(const ObjectId& id, bool want_gone);
  void Note(Wait* wait, const ObjectId& id, State state);
  // Notes the state in all waits for `id`.
  void Tell(const ObjectId& id, State state);
  void TellIfGone(const ObjectId& id);
  void End(uint64_t waiter);
  void Forget(uint64_t waiter, const Wait& wait);

  Store* const store_;
  EventLoop* const loop_;
  ServerStats* const stats_;
  std::unordered_map<uint64_t, Wait> waits_;
  std::unordered_map<ObjectId, std::unordered_set<uint64_t>> waiters_;
};

}  // namespace vitrine::store::server

#endif  // VITRINE_STORE_SERVER_SERVER_WAITS_H_
