#include <gtest/gtest.h>
#include <poll.h>
#include <vitrine/client.h>

#include <map>
#include <set>

#include "tests/client/test_store.h"

namespace vitrine {
namespace {

const Timeout kPatience = Timeout(20000);

class SubscriptionTest : public testing::Test {
 protected:
  TestStore store_;
  Client client_ = store_.Connect();
};

TEST_F(SubscriptionTest, NothingInTimeIsATimeout) {
  auto events = client_.Subscribe();
  ASSERT_TRUE(events) << events.error().ToString();
  EXPECT_EQ(CodeOf(events->Next(kPoll)), Code::kTimeout);
  EXPECT_EQ(CodeOf(events->Next(Timeout(20))), Code::kTimeout);
  Subscription moved = std::move(*events);
  EXPECT_EQ(CodeOf(events->Next(kPoll)), Code::kInvalidArgument);
  EXPECT_EQ(events->fd(), -1);
  EXPECT_GE(moved.fd(), 0);
}

TEST_F(SubscriptionTest, TellsWhatHappensInOrder) {
  auto events = client_.Subscribe();
  ASSERT_TRUE(client_.Put(Id("a"), BytesOf("hello")));
  ASSERT_TRUE(client_.Delete(Id("a")));
  ASSERT_TRUE(client_.Put(Id("b"), BytesOf(Content(1, 200000))));
  ASSERT_TRUE(client_.Evict(uint64_t{1} << 30));
  pollfd readable = {events->fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&readable, 1, 20000), 1);
  auto sealed = events->Next(kPatience);
  ASSERT_TRUE(sealed) << sealed.error().ToString();
  EXPECT_EQ(sealed->kind, EventKind::kSealed);
  EXPECT_EQ(sealed->id->text(), "a");
  EXPECT_EQ(sealed->size_bytes, 5u);
  EXPECT_GT(sealed->time_ns, 0);
  EXPECT_EQ(events->Next(kPatience)->kind, EventKind::kDeleted);
  EXPECT_EQ(events->Next(kPatience)->kind, EventKind::kSealed);
  auto evicted = events->Next(kPatience);
  EXPECT_EQ(evicted->kind, EventKind::kEvicted);
  EXPECT_EQ(evicted->id->text(), "b");
}

TEST_F(SubscriptionTest, LateSubscribersHearWhatExists) {
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(client_.Put(Id("object" + std::to_string(i)), BytesOf("x")));
  }
  auto events = client_.Subscribe(EventsFrom::kExisting);
  std::set<std::string> ids;
  while (true) {
    auto event = events->Next(kPatience);
    ASSERT_TRUE(event) << event.error().ToString();
    if (event->kind == EventKind::kExistingDone) break;
    EXPECT_EQ(event->kind, EventKind::kSealed);
    ids.insert(event->id->text());
  }
  EXPECT_EQ(ids.size(), 500u);
}

TEST_F(SubscriptionTest, LostEventsAreNotSilent) {
  auto events = client_.Subscribe();
  const std::string id(250, 'x');
  for (int i = 0; i < 20000; ++i) {
    ASSERT_TRUE(client_.Put(Id(id), BytesOf("x")));
    ASSERT_TRUE(client_.Delete(Id(id)));
  }
  int known = 0;
  bool overflow = false;
  while (true) {
    auto event = events->Next(Timeout(2000));
    if (!event) break;
    ++known;
    overflow = overflow || event->kind == EventKind::kOverflow;
  }
  EXPECT_TRUE(overflow || known == 40000);
}

TEST_F(SubscriptionTest, TheStoresEndIsSaid) {
  auto events = client_.Subscribe();
  store_.Kill();
  EXPECT_EQ(CodeOf(events->Next(kPatience)), Code::kDisconnected);
  EXPECT_EQ(CodeOf(events->Next(kPatience)), Code::kDisconnected);
}

TEST_F(SubscriptionTest, OutlivesTheClient) {
  std::optional<Client> second = store_.Connect();
  auto events = second->Subscribe();
  second.reset();
  ASSERT_TRUE(client_.Put(Id("a"), BytesOf("x")));
  EXPECT_EQ(events->Next(kPatience)->id->text(), "a");
}

}  // namespace
}  // namespace vitrine
