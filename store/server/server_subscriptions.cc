#include "store/server/server_subscriptions.h"

#include <optional>
#include <utility>

#include "schema/base/wall_clock.h"

namespace vitrine::store::server {
namespace {

using protocol::EventKind;

// Messages for one subscriber before others have their turn.
constexpr int kMessagesPerTurn = 256;

std::optional<EventKind> KindOf(const ObjectEvent& event) {
  switch (event.kind) {
    case ObjectEventKind::kSealed:
      return EventKind::kSealed;
    case ObjectEventKind::kDeleted:
      return EventKind::kDeleted;
    case ObjectEventKind::kEvicted:
      return EventKind::kEvicted;
    case ObjectEventKind::kCreated:
    case ObjectEventKind::kAborted:
    case ObjectEventKind::kHoldChanged:
    case ObjectEventKind::kMoved:
    case ObjectEventKind::kRenamed:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

void SubscriptionTable::Add(uint64_t connection, bool want_existing) {
  Subscription& subscription = subscriptions_[connection];
  stats_->subscriptions = subscriptions_.size();  // Now events come here.
  if (!want_existing) return;
  subscription.listing = true;
  subscription.wants_done = true;
  // Events are queued from now on, so no event is lost between list and queue.
  workers_->Run([this, connection] {
    auto existing = store_->objects().List(ObjectState::kSealed);
    loop_->Post([this, connection, existing = std::move(existing)]() mutable {
      const auto found = subscriptions_.find(connection);
      if (found == subscriptions_.end()) return;
      found->second.existing = std::move(existing);
      found->second.listing = false;
      Pump(connection);
    });
  });
}

void SubscriptionTable::Remove(uint64_t connection) {
  subscriptions_.erase(connection);
  stats_->subscriptions = subscriptions_.size();
}

void SubscriptionTable::OnEvent(const ObjectEvent& event) {
  const auto kind = KindOf(event);
  if (!kind || subscriptions_.empty()) return;
  const int64_t time_ns =
      *kind == EventKind::kSealed ? event.info.sealed_ns : NowNs();
  const Message message = EventMessage(*kind, event.info, time_ns);
  std::vector<uint64_t> told;
  for (auto& [connection, subscription] : subscriptions_) {
    Queue(&subscription, message);
    told.push_back(connection);
  }
  for (const uint64_t connection : told) Pump(connection);
}

void SubscriptionTable::OnLost(uint64_t count) {
  std::vector<uint64_t> told;
  for (auto& [connection, subscription] : subscriptions_) {
    subscription.lost = true;
    stats_->events_dropped += count;
    told.push_back(connection);
  }
  for (const uint64_t connection : told) Pump(connection);
}

void SubscriptionTable::Pump(uint64_t connection) {
  const auto found = subscriptions_.find(connection);
  Connection* const peer = connections_->Find(connection);
  if (found == subscriptions_.end() || peer == nullptr) return;
  Subscription& subscription = found->second;
  for (int told = 0; peer->idle() && !peer->ending(); ++told) {
    if (told == kMessagesPerTurn) {
      if (std::exchange(subscription.pumping, true)) return;
      loop_->Post([this, connection] {
        const auto again = subscriptions_.find(connection);
        if (again == subscriptions_.end()) return;
        again->second.pumping = false;
        Pump(connection);
      });
      return;
    }
    Message message = Next(&subscription);
    if (message == nullptr) return;
    peer->Send(std::move(message));
  }
}

Message SubscriptionTable::Next(Subscription* subscription) {
  if (subscription->listing) return nullptr;
  if (Message existing = NextExisting(subscription)) return existing;
  if (std::exchange(subscription->wants_done, false)) {
    return BareEventMessage(EventKind::kExistingDone);
  }
  if (!subscription->queued.empty()) {
    Message message = std::move(subscription->queued.front());
    subscription->queued.pop_front();
    return message;
  }
  if (std::exchange(subscription->lost, false)) {
    return BareEventMessage(EventKind::kOverflow);
  }
  return nullptr;
}

Message SubscriptionTable::NextExisting(Subscription* subscription) {
  std::vector<ObjectRef>& existing = subscription->existing;
  while (subscription->next_existing < existing.size()) {
    const ObjectRef object = std::move(existing[subscription->next_existing++]);
    const ObjectInfo info = store_->objects().Info(object);
    if (info.state != ObjectState::kSealed) continue;
    return EventMessage(EventKind::kSealed, info, info.sealed_ns);
  }
  existing = {};
  subscription->next_existing = 0;
  return nullptr;
}

void SubscriptionTable::Queue(Subscription* subscription,
                              const Message& message) {
  if (subscription->lost || subscription->queued.size() >= kMaxQueuedEvents) {
    subscription->lost = true;
    ++stats_->events_dropped;
    return;
  }
  subscription->queued.push_back(message);
}

}  // namespace vitrine::store::server
