#include "store/server/server_subscriptions.h"

#include <set>

#include "tests/store/server/server_peer_fixture.h"

namespace vitrine::store {
namespace {

using protocol::EventKind;
using protocol::EventT;

class SubscriptionTableTest : public ServerFixture {
 protected:
  std::unique_ptr<RawPeer> Subscribe(bool want_existing) {
    auto peer = std::make_unique<RawPeer>(path_);
    auto hello = Hello(protocol::Role::kEvents);
    hello.want_existing = want_existing;
    EXPECT_TRUE(peer->Ask<protocol::HelloReplyT>(std::move(hello)));
    return peer;
  }
  static std::string Text(const EventT& event) {
    return std::string(protocol::EnumNameEventKind(event.kind)) + " " +
           event.id;
  }
  static std::string Next(RawPeer* peer) {
    const auto event = peer->ReceiveA<EventT>();
    return event ? Text(*event) : "nothing";
  }
};

TEST_F(SubscriptionTableTest, SubscriberThatDoesNotReadIsToldOfItsLossOnce) {
  auto stalled = Subscribe(false);
  auto attentive = Subscribe(false);
  const size_t most = server::SubscriptionTable::kMaxQueuedEvents;
  size_t sealed = 0;
  while (Stat("events_dropped") < 100) {
    ASSERT_LT(sealed, 2 * most);
    const ObjectRef object = SealDirectly("e-" + std::to_string(sealed++));
    EXPECT_EQ(Next(attentive.get()), "kSealed e-" + std::to_string(sealed - 1));
    ASSERT_TRUE(store_->sealed().Delete(object, {}));
    EXPECT_EQ(Next(attentive.get()),
              "kDeleted e-" + std::to_string(sealed - 1));
  }
  size_t told = 0;
  for (;; ++told) {
    const auto event = stalled->ReceiveA<EventT>();
    ASSERT_TRUE(event);
    if (event->kind == EventKind::kOverflow) break;
    const std::string id = "e-" + std::to_string(told / 2);
    ASSERT_EQ(event->id, id);
  }
  EXPECT_GE(told, most);
  EXPECT_LT(told, 2 * sealed);
  SealDirectly("after");
  EXPECT_EQ(Next(stalled.get()), "kSealed after");
}

TEST_F(SubscriptionTableTest, SubscriberThatLeavesInTheMiddleLeavesNothing) {
  for (int i = 0; i < 2000; ++i) SealDirectly("e-" + std::to_string(i));
  for (int i = 0; i < 20; ++i) {
    auto peer = Subscribe(true);
    EXPECT_NE(Next(peer.get()), "nothing");
  }
  EXPECT_TRUE(Eventually([this] { return Stat("connections") == 0; }));
  EXPECT_EQ(Stat("subscriptions"), 0U);
}

TEST_F(SubscriptionTableTest, LateSubscriberGetsWhatExistsThenWhatHappens) {
  SealDirectly("a");
  SealDirectly("b", 0600, 1000);  // Names are no secret.
  CreateDirectly("unsealed");
  auto peer = Subscribe(true);
  EXPECT_EQ(Next(peer.get()), "kSealed a");
  EXPECT_EQ(Next(peer.get()), "kSealed b");
  EXPECT_EQ(Next(peer.get()), "kExistingDone ");
  const ObjectRef object = SealDirectly("c");
  EXPECT_EQ(Next(peer.get()), "kSealed c");
  ASSERT_TRUE(store_->sealed().Delete(object, {}));
  EXPECT_EQ(Next(peer.get()), "kDeleted c");
  ASSERT_TRUE(store_->unsealed().Abort(
      *store_->unsealed().FindUnsealed(Id("unsealed"))));
}

TEST_F(SubscriptionTableTest, WithoutExistingOnesOnlyWhatHappens) {
  SealDirectly("a");
  auto peer = Subscribe(false);
  SealDirectly("b");
  EXPECT_EQ(Next(peer.get()), "kSealed b");
}

TEST_F(SubscriptionTableTest, EventsTellSizeNumberAndTime) {
  auto peers = Connect();
  auto peer = Subscribe(false);
  ASSERT_TRUE(peers->call.Ask<protocol::PutReplyT>(PutRequest("a", "12345")));
  const auto event = peer->ReceiveA<EventT>();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->size_bytes, 5U);
  EXPECT_GT(event->number, 0U);
  EXPECT_GT(event->time_ns, 0);
}

TEST_F(SubscriptionTableTest, EvictionIsToldAsSuch) {
  auto peers = Connect();
  ASSERT_TRUE(peers->call.Ask<protocol::PutReplyT>(PutRequest("a", "12345")));
  auto peer = Subscribe(false);
  protocol::EvictT evict;
  evict.bytes = 1;
  const auto reply = peers->call.Ask<protocol::EvictReplyT>(std::move(evict));
  ASSERT_TRUE(reply);
  EXPECT_GT(reply->bytes, 0U);
  EXPECT_EQ(Next(peer.get()), "kEvicted a");
}

TEST_F(SubscriptionTableTest, WhatIsSealedDuringTheReplayIsToldAtLeastOnce) {
  constexpr int kBefore = 3000;
  constexpr int kDuring = 500;
  for (int i = 0; i < kBefore; ++i) SealDirectly("o-" + std::to_string(i));
  std::thread sealer([this] {
    for (int i = 0; i < kDuring; ++i) {
      SealDirectly("o-" + std::to_string(kBefore + i));
    }
  });
  auto peer = Subscribe(true);
  std::set<std::string> told;
  bool done = false;
  while (told.size() < kBefore + kDuring || !done) {
    const auto event = peer->ReceiveA<EventT>();
    ASSERT_TRUE(event) << told.size();
    if (event->kind == EventKind::kExistingDone) {
      EXPECT_FALSE(done);
      done = true;
    } else {
      ASSERT_EQ(event->kind, EventKind::kSealed);
      told.insert(event->id);
    }
  }
  sealer.join();
}

}  // namespace
}  // namespace vitrine::store
