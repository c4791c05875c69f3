#ifndef VITRINE_STORE_SERVER_SERVER_SUBSCRIPTIONS_H_
#define VITRINE_STORE_SERVER_SERVER_SUBSCRIPTIONS_H_

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "store/base/observer.h"
#include "store/base/worker_pool.h"
#include "store/server/server_connection.h"
#include "store/server/server_loop.h"
#include "store/server/server_messages.h"
#include "store/server/server_stats.h"
#include "store/store.h"

namespace vitrine::store::server {

// Who listens to events, and what each has not been told yet.
//
// Each subscriber is told, in this order: if it asked for that, a kSealed for
// every object there was; kExistingDone; then everything that happened since
// it came.  So every seal is told at least once: what is sealed while the
// first part goes on may be told in both.
//
// At most kMaxQueuedEvents wait for a subscriber that does not read.  Further
// ones are dropped until it has read all that waited; then it is told so once,
// by kOverflow, and hears again what happens from there on.  The same goes for
// all subscribers when this table is told too late what happened.
//
// On the loop's thread only.  What it is given must outlive it.
class SubscriptionTable {
 public:
  static constexpr size_t kMaxQueuedEvents = 16 * 1024;

  SubscriptionTable(Store* store, EventLoop* loop, WorkerPool* workers,
                    ConnectionTable* connections, ServerStats* stats)
      : store_(store),
        loop_(loop),
        workers_(workers),
        connections_(connections),
        stats_(stats) {}

  void Add(uint64_t connection, bool want_existing);
  void Remove(uint64_t connection);
  void OnEvent(const ObjectEvent& event);
  // `count` events were lost after those that OnEvent was told.
  void OnLost(uint64_t count);
  // The peer has read something: tell it more.
  void Pump(uint64_t connection);
  size_t size() const { return subscriptions_.size(); }

 private:
  struct Subscription {
    // The objects there were, while they are being told.
    std::vector<ObjectRef> existing;
    size_t next_existing = 0;
    bool listing = false;        // `existing` is still being fetched.
    bool wants_done = false;     // kExistingDone is still to be said.
    std::deque<Message> queued;  // Not told yet.
    bool lost = false;           // Some were dropped after those queued.
    bool pumping = false;        // A further turn is posted.
  };

  // What the subscriber is told next; null: nothing for now.
  Message Next(Subscription* subscription);
  Message NextExisting(Subscription* subscription);
  void Queue(Subscription* subscription, const Message& message);

  Store* const store_;
  EventLoop* const loop_;
  WorkerPool* const workers_;
  ConnectionTable* const connections_;
  ServerStats* const stats_;
  std::unordered_map<uint64_t, Subscription> subscriptions_;
};

}  // namespace vitrine::store::server

#endif  // VITRINE_STORE_SERVER_SERVER_SUBSCRIPTIONS_H_
