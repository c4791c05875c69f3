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

// The subscribers to events, and the queue of each.
//
// Each subscriber gets, in this order: if it asked for that, a kSealed for
// every existing object, and kExistingDone; then all events since it
// subscribed.  Every seal is thus sent at least once; a seal during the first
// part may be sent in both.
//
// At most kMaxQueuedEvents wait for a subscriber that does not read.  Further
// events are dropped until it has read all queued ones.  Then it gets one
// kOverflow, and all events from there on.  If the event loop falls behind and
// loses events, the same holds for all subscribers.
//
// On the loop's thread only.  Store, loop and workers must outlive it.
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
  // `count` events were lost after the last OnEvent.
  void OnLost(uint64_t count);
  // The peer has read messages: sends more.
  void Pump(uint64_t connection);
  size_t size() const { return subscriptions_.size(); }

 private:
  struct Subscription {
    // The existing objects that are still to be sent.
    std::vector<ObjectRef> existing;
    size_t next_existing = 0;
    bool listing = false;        // `existing` is still being fetched.
    bool wants_done = false;     // kExistingDone is still to be sent.
    std::deque<Message> queued;  // Not sent yet.
    bool lost = false;           // Events were dropped after those queued.
    bool pumping = false;        // A further turn is posted.
  };

  // The next message for the subscriber; null: none for now.
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
