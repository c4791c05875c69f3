#include "store/server/server_waits.h"

#include <atomic>

#include "tests/store/server/server_peer_fixture.h"
#include "tests/store/store_calls.h"

namespace vitrine::store {
namespace {

using State = protocol::WaitState;
using States = std::vector<State>;

class WaitTableTest : public ServerFixture {
 protected:
  WaitTableTest() : peers_of_test_(Connect()) {}
  void TearDown() override {
    peers_of_test_.reset();
    ServerFixture::TearDown();
  }

  RawPeer& call() { return peers_of_test_->call; }
  std::optional<States> Wait(protocol::WaitT request) {
    auto reply = call().Ask<protocol::WaitReplyT>(std::move(request));
    return reply ? std::optional(reply->states) : std::nullopt;
  }
  void StartWait(protocol::WaitT request) {
    ASSERT_TRUE(call().Send(std::move(request)));
    ASSERT_TRUE(Eventually([this] { return Stat("waits") == 1; }));
  }
  std::optional<States> EndWait() {
    auto reply = call().ReceiveA<protocol::WaitReplyT>();
    return reply ? std::optional(reply->states) : std::nullopt;
  }
  static protocol::WaitT UntilGone(std::vector<std::string> ids) {
    auto request = WaitRequest(std::move(ids), -1);
    request.stop_when_gone = true;
    return request;
  }

  std::unique_ptr<Peers> peers_of_test_;
};

TEST_F(WaitTableTest, TooManyOrBadIdsAreRefused) {
  EXPECT_EQ(call().AskForFailure(WaitRequest(
                std::vector<std::string>(kMaxIdsPerRequest + 1, "x"), 0)),
            Code::kInvalidArgument);
  EXPECT_EQ(call().AskForFailure(WaitRequest({"x", "a/b"}, 0)),
            Code::kInvalidArgument);
  EXPECT_EQ(Wait(WaitRequest({}, -1)), States());
}

TEST_F(WaitTableTest, TimeoutTellsWhatIsThere) {
  SealDirectly("a");
  EXPECT_EQ(Wait(WaitRequest({"b", "a"}, 0)),
            (States{State::kPending, State::kSealed}));
  EXPECT_EQ(Wait(WaitRequest({"b", "a"}, 30)),
            (States{State::kPending, State::kSealed}));
  EXPECT_EQ(Stat("waits"), 0U);
}

TEST_F(WaitTableTest, NobodyCreatingItIsGoneAtOnce) {
  EXPECT_EQ(Wait(UntilGone({"a"})), States{State::kGone});
  SealDirectly("b");
  EXPECT_EQ(Wait(UntilGone({"b", "a"})),
            (States{State::kSealed, State::kGone}));
}

TEST_F(WaitTableTest, AbortEndsThoseWhoAskedForThatAndNoOthers) {
  const ObjectRef object = CreateDirectly("a");
  auto patient = Connect();
  ASSERT_TRUE(patient->call.Send(WaitRequest({"a"}, -1)));
  ASSERT_TRUE(call().Send(UntilGone({"a"})));
  ASSERT_TRUE(Eventually([this] { return Stat("waits") == 2; }));
  ASSERT_TRUE(store_->unsealed().Abort(object));
  EXPECT_EQ(EndWait(), States{State::kGone});
  EXPECT_EQ(Stat("waits"), 1U);
  SealDirectly("a");
  const auto reply = patient->call.ReceiveA<protocol::WaitReplyT>();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->states, States{State::kSealed});
}

TEST_F(WaitTableTest, DeathOfTheCreatorEndsTheWait) {
  auto creator = Connect();
  ASSERT_TRUE(
      creator->call.Ask<protocol::CreateReplyT>(CreateRequest("a", 100)));
  StartWait(UntilGone({"a"}));
  creator.reset();
  EXPECT_EQ(EndWait(), States{State::kGone});
}

TEST_F(WaitTableTest, NewNameMeansThatTheOldOneIsGone) {
  const ObjectRef object = CreateDirectly("a");
  StartWait(UntilGone({"a"}));
  ASSERT_TRUE(store_->unsealed().Rename(object, Id("b"), true));
  EXPECT_EQ(EndWait(), States{State::kGone});
  StartWait(UntilGone({"b"}));
  ASSERT_TRUE(SealNow(store_.get(), object, Id("c")));
  EXPECT_EQ(EndWait(), States{State::kGone});
}

TEST_F(WaitTableTest, DeletedAfterTheSealStillCountsAsSealed) {
  StartWait(WaitRequest({"a", "b"}, -1));
  ASSERT_TRUE(store_->sealed().Delete(SealDirectly("a"), {}));
  SealDirectly("b");
  EXPECT_EQ(EndWait(), (States{State::kSealed, State::kSealed}));
}

TEST_F(WaitTableTest, RepeatedIdsCountOnce) {
  auto request = WaitRequest({"a", "a", "b", "a"}, -1);
  request.need = 2;
  StartWait(std::move(request));
  SealDirectly("a");
  SealDirectly("b");
  EXPECT_EQ(EndWait(), (States{State::kSealed, State::kSealed, State::kSealed,
                               State::kSealed}));
}

TEST_F(WaitTableTest, NeedBeyondAllMeansAll) {
  SealDirectly("a");
  auto request = WaitRequest({"a"}, -1);
  request.need = 1000;
  EXPECT_EQ(Wait(std::move(request)), States{State::kSealed});
}

TEST_F(WaitTableTest, OneOfManyIsEnoughIfOneIsNeeded) {
  auto request = WaitRequest({"a", "b", "c"}, -1);
  request.need = 1;
  StartWait(std::move(request));
  SealDirectly("b");
  EXPECT_EQ(EndWait(),
            (States{State::kPending, State::kSealed, State::kPending}));
}

TEST_F(WaitTableTest, AllWaitersOfAnIdAreWoken) {
  std::vector<std::unique_ptr<Peers>> waiters;
  for (int i = 0; i < 100; ++i) {
    waiters.push_back(Connect());
    ASSERT_TRUE(waiters.back()->call.Send(WaitRequest({"a"}, -1)));
  }
  ASSERT_TRUE(Eventually([this] { return Stat("waits") == 100; }));
  SealDirectly("a");
  for (auto& waiter : waiters) {
    const auto reply = waiter->call.ReceiveA<protocol::WaitReplyT>();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->states, States{State::kSealed});
  }
}

// The seal comes just before, while, or just after the wait begins.
TEST_F(WaitTableTest, NoSealIsMissed) {
  constexpr int kRounds = 500;
  std::atomic<int> next = 0;
  std::thread sealer([&] {
    for (int i = 0; i < kRounds; ++i) {
      const ObjectRef object = CreateDirectly("race-" + std::to_string(i));
      next = i + 1;
      ASSERT_TRUE(
          SealNow(store_.get(), object, Id("race-" + std::to_string(i))));
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    while (next <= i) std::this_thread::yield();
    EXPECT_EQ(Wait(UntilGone({"race-" + std::to_string(i)})),
              States{State::kSealed});
  }
  sealer.join();
}

}  // namespace
}  // namespace vitrine::store
