#include "store/server/server_events.h"

#include <future>

#include "tests/store/server/server_peer_fixture.h"

namespace vitrine::store {
namespace {

using protocol::EventKind;
using protocol::EventT;
using server::EventQueue;

ObjectEvent EventOf(uint64_t number) {
  const ObjectId id = *ObjectId::FromText("object");
  return {ObjectEventKind::kSealed, {.number = number, .id = id}, id};
}

TEST(EventQueueTest, BeyondTheBoundEventsAreOnlyCounted) {
  EventQueue queue;
  EXPECT_TRUE(queue.Push(EventOf(0)));
  for (uint64_t i = 1; i < EventQueue::kMostQueued + 5; ++i) {
    ASSERT_FALSE(queue.Push(EventOf(i)));
  }
  const EventQueue::Taken taken = queue.Take();
  EXPECT_EQ(taken.lost, 5U);
  ASSERT_EQ(taken.events.size(), EventQueue::kMostQueued);
  for (uint64_t i = 0; i < taken.events.size(); ++i) {
    ASSERT_EQ(taken.events[i].info.number, i);
  }
}

TEST(EventQueueTest, AfterTakeItBeginsAnew) {
  EventQueue queue;
  for (uint64_t i = 0; i < EventQueue::kMostQueued + 5; ++i) {
    queue.Push(EventOf(i));
  }
  (void)queue.Take();
  EXPECT_TRUE(queue.Push(EventOf(7)));
  EXPECT_FALSE(queue.Push(EventOf(8)));
  const EventQueue::Taken taken = queue.Take();
  EXPECT_EQ(taken.lost, 0U);
  EXPECT_EQ(taken.events.size(), 2U);
  EXPECT_EQ(queue.Take().events.size(), 0U);
}

// A loop that cannot go on while objects are sealed: it wants the object
// table's lock, which is held as long as observers are told.
class LoopFallsBehindTest : public ServerFixture, public Observer {
 protected:
  LoopFallsBehindTest() : ServerFixture(/*strict=*/false) {}
  void SetUp() override {
    ServerFixture::SetUp();
    peers_of_test_ = Connect();
    blocker_ = std::make_unique<RawPeer>(path_);
    ASSERT_TRUE(JoinSession(blocker_.get(), peers_of_test_->token));
  }
  void TearDown() override {
    blocker_.reset();
    peers_of_test_.reset();
    ServerFixture::TearDown();
  }
  void OnEvent(const ObjectEvent& event) override {
    if (event.info.id.text() != "object-0") return;
    EXPECT_TRUE(blocker_->Send(WaitRequest({"object-0"}, 0)));
    const auto unasked = [this] {
      return ToJson(server_->GetStatus()).at("requests").at("Wait") ==
             waits_before_;
    };
    while (unasked()) std::this_thread::yield();
  }
  // Seals so many small objects, and more than may be queued, at once.
  void SealMoreThanMayBeQueued() {
    waits_before_ = ToJson(server_->GetStatus()).at("requests").at("Wait");
    std::promise<Status> room;
    store_->small().AddRoom({}, [&](Status status) { room.set_value(status); });
    ASSERT_TRUE(room.get_future().get());
    std::vector<SmallObject> objects;
    for (size_t i = 0; i < kObjects; ++i) {
      objects.push_back({Id("object-" + std::to_string(i)), 0644, {}});
    }
    store_->events().AddObserver(this);
    std::vector<Status> results;
    store_->small().PutSmall({}, objects, &results);
    store_->events().RemoveObserver(this);
    ASSERT_EQ(results.size(), kObjects);
    EXPECT_TRUE(blocker_->ReceiveA<protocol::WaitReplyT>());
  }

  static constexpr size_t kObjects = EventQueue::kMostQueued + 1000;
  const std::string last_ = "object-" + std::to_string(kObjects - 1);
  std::unique_ptr<Peers> peers_of_test_;
  std::unique_ptr<RawPeer> blocker_;
  nlohmann::json waits_before_;
};

TEST_F(LoopFallsBehindTest, NoWaitMissesItsSeal) {
  ASSERT_TRUE(peers_of_test_->call.Send(WaitRequest({last_}, -1)));
  ASSERT_TRUE(Eventually([this] { return Stat("waits") == 1; }));
  ASSERT_NO_FATAL_FAILURE(SealMoreThanMayBeQueued());
  const auto reply = peers_of_test_->call.ReceiveA<protocol::WaitReplyT>();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->states, std::vector{protocol::WaitState::kSealed});
  EXPECT_EQ(Stat("events_dropped"), 0U);  // Nobody listens.
}

TEST_F(LoopFallsBehindTest, SubscribersAreToldOfTheirLossOnce) {
  RawPeer subscriber(path_);
  ASSERT_TRUE(
      subscriber.Ask<protocol::HelloReplyT>(Hello(protocol::Role::kEvents)));
  ASSERT_NO_FATAL_FAILURE(SealMoreThanMayBeQueued());
  size_t told = 0;
  auto event = subscriber.ReceiveA<EventT>();
  for (; event && event->kind == EventKind::kSealed; ++told) {
    event = subscriber.ReceiveA<EventT>();
  }
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, EventKind::kOverflow);
  EXPECT_EQ(told + Stat("events_dropped"), kObjects);
  EXPECT_GE(told, EventQueue::kMostQueued);
  SealDirectly("after");
  event = subscriber.ReceiveA<EventT>();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->id, "after");
}

}  // namespace
}  // namespace vitrine::store
