// How a client comes to its ring, and what it does without one; the store is
// played.
#include "client/ring/session_ring.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <future>
#include <thread>
#include <vector>

#include "tests/client/fake_store.h"
#include "tests/client/ring/fake_ring.h"
#include "tests/client/test_store.h"

namespace vitrine {
namespace {

using Answer = FakeStore::Answer;

class SessionRingTest : public testing::Test {
 protected:
  SessionRingTest() {
    store_.small_object_bytes = 1000;
    store_.SetAnswer([this](const auto& request) { return Say(request); });
  }
  Client Connect() {
    auto client = Client::Connect(store_.Options());
    if (!client) throw std::runtime_error(client.error().ToString());
    return *client;
  }
  // Answers requests for the ring with `failure`.
  void RefuseRings(Code failure) { refusal_ = failure; }

  Answer Say(const protocol::RequestT& request) {
    if (request.body.AsPut() != nullptr) {
      ++messages_;
      return Answer{FakeStore::Say(protocol::PutReplyT())};
    }
    if (request.body.AsOpenRing() == nullptr) return Answer{.hang_up = true};
    ++openings_;
    if (refusal_ != Code{}) {
      protocol::FailureT failure;
      failure.code = static_cast<uint8_t>(refusal_.load());
      return Answer{FakeStore::Say(failure)};
    }
    Answer answer{FakeStore::Say(protocol::OpenRingReplyT()),
                  {fake_.file(), fake_.bell()}};
    if (send_fds_ < 2) answer.fds.resize(send_fds_);
    return answer;
  }

  FakeRing fake_;
  std::atomic<Code> refusal_ = Code{};
  std::atomic<size_t> send_fds_ = 2;
  std::atomic<int> openings_ = 0;
  std::atomic<int> messages_ = 0;
  FakeStore store_;  // Last: its thread uses the others.
};

TEST_F(SessionRingTest, AStoreWithoutRingsIsNotAsked) {
  store_.small_object_bytes = 0;
  Client client = Connect();
  EXPECT_TRUE(client.Put(Id("a"), {}));
  EXPECT_TRUE(client.PutLater(Id("b"), {}));
  EXPECT_TRUE(client.Flush()->empty());
  EXPECT_EQ(messages_, 2);
  EXPECT_EQ(openings_, 0);
}

TEST_F(SessionRingTest, ARefusedRingIsAskedForOnceAndDoneWithout) {
  RefuseRings(Code::kUnsupported);
  Client client = Connect();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(client.Put(Id("a"), {}));
  EXPECT_TRUE(client.PutLater(Id("b"), BytesOf("x")));
  EXPECT_TRUE(client.Flush()->empty());
  EXPECT_EQ(messages_, 4);
  EXPECT_EQ(openings_, 1);
}

TEST_F(SessionRingTest, ARingThatWasGivenBeforeIsNotTakenForATakenId) {
  RefuseRings(Code::kAlreadyExists);
  Client client = Connect();
  EXPECT_TRUE(client.Put(Id("a"), {}));
  EXPECT_TRUE(client.PutLater(Id("b"), {}));
  EXPECT_EQ(messages_, 2);
  EXPECT_EQ(openings_, 1);
}

TEST_F(SessionRingTest, AnotherFailureIsTheCallersAndTriedAgain) {
  RefuseRings(Code::kInvalidArgument);
  Client client = Connect();
  EXPECT_EQ(CodeOf(client.Put(Id("a"), {})), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf(client.PutLater(Id("a"), {})), Code::kInvalidArgument);
  RefuseRings(Code{});
  fake_.ServeGladly();
  EXPECT_TRUE(client.Put(Id("a"), {}));
  EXPECT_EQ(openings_, 3);
  EXPECT_EQ(messages_, 0);
}

TEST_F(SessionRingTest, WithoutMemoryForARingPutsGoByMessageForAWhile) {
  for (const Code code :
       {Code::kOutOfMemory, Code::kOverQuota, Code::kTooMany}) {
    RefuseRings(code);
    Client client = Connect();
    const int before = messages_;
    EXPECT_TRUE(client.Put(Id("a"), {}));
    EXPECT_TRUE(client.PutLater(Id("b"), {}));
    EXPECT_EQ(messages_, before + 2);
  }
  Client client = Connect();
  EXPECT_TRUE(client.Put(Id("a"), {}));
  RefuseRings(Code{});
  fake_.ServeGladly();
  EXPECT_TRUE(Eventually([&] {
    const int before = messages_;
    EXPECT_TRUE(client.Put(Id("a"), {}));
    return messages_ == before;
  }));
}

TEST_F(SessionRingTest, ARingWithoutDescriptorsEndsTheSession) {
  send_fds_ = 1;
  Client client = Connect();
  EXPECT_EQ(CodeOf(client.Put(Id("a"), {})), Code::kCorruption);
  EXPECT_TRUE(Eventually([&] { return store_.sessions() >= 2; }));
}

TEST_F(SessionRingTest, ARingThatIsTooShortEndsTheSession) {
  ASSERT_EQ(::ftruncate(fake_.file(), 4096), 0);
  Client client = Connect();
  EXPECT_EQ(CodeOf(client.Put(Id("a"), {})), Code::kCorruption);
  EXPECT_TRUE(Eventually([&] { return store_.sessions() >= 2; }));
}

TEST_F(SessionRingTest, NonsenseInTheRingEndsTheSession) {
  Client client = Connect();
  fake_.Serve([](const auto&) { return 77u; });
  EXPECT_EQ(CodeOf(client.Put(Id("a"), {})), Code::kCorruption);
  EXPECT_TRUE(Eventually([&] { return store_.sessions() >= 2; }));
}

TEST_F(SessionRingTest, ManyThreadsOpenItOnce) {
  Client client = Connect();
  fake_.ServeGladly();
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] { EXPECT_TRUE(client.Put(Id("a"), {})); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(openings_, 1);
  EXPECT_EQ(messages_, 0);
}

TEST_F(SessionRingTest, OnlyWhatItIsForGoesThroughTheRing) {
  Client client = Connect();
  fake_.ServeGladly();
  CreateOptions open;
  CreateOptions closed;
  closed.mode = 0600;
  CreateOptions described;
  described.metadata["name"] = "value";
  const std::string small(1000, 'x');
  EXPECT_TRUE(client.PutLater(Id("a"), BytesOf(small), open));
  EXPECT_EQ(messages_, 0);
  EXPECT_TRUE(client.PutLater(Id("a"), BytesOf(small + "x"), open));
  EXPECT_TRUE(client.PutLater(Id("a"), BytesOf(small), closed));
  EXPECT_TRUE(client.PutLater(Id("a"), BytesOf(small), described));
  EXPECT_EQ(messages_, 2);
  described.metadata["name"] = std::string(kMaxRecordMetadataBytes, 'x');
  EXPECT_TRUE(client.PutLater(Id("a"), BytesOf(small), described));
  EXPECT_EQ(messages_, 3);
  open.mode = 01666;
  EXPECT_EQ(CodeOf(client.PutLater(Id("a"), {}, open)), Code::kInvalidArgument);
}

TEST_F(SessionRingTest, TheEndOfTheStoreEndsWhatIsOnItsWay) {
  Client client = Connect();
  EXPECT_TRUE(client.PutLater(Id("later"), {}));
  auto put =
      std::async(std::launch::async, [&] { return client.Put(Id("now"), {}); });
  auto flush = std::async(std::launch::async, [&] { return client.Flush(); });
  EXPECT_TRUE(Eventually([&] { return fake_.ring().waiters == 2; }));
  store_.Stop();
  EXPECT_EQ(CodeOf(put.get()), Code::kDisconnected);
  const auto failed = flush.get();
  ASSERT_TRUE(failed);
  ASSERT_EQ(failed->size(), 1u);
  EXPECT_EQ(failed->at(0).id.text(), "later");
  EXPECT_EQ(failed->at(0).error.code, Code::kDisconnected);
  EXPECT_TRUE(client.Flush()->empty());
  EXPECT_TRUE(Eventually([&] {
    return CodeOf(client.PutLater(Id("a"), {})) == Code::kDisconnected;
  }));
}

TEST_F(SessionRingTest, TheNextSessionHasARingOfItsOwn) {
  Client client = Connect();
  EXPECT_TRUE(client.PutLater(Id("lost"), {}));
  fake_.ring().submitted = 0;  // As a new one is.
  store_.SaySoon(FakeStore::Say(protocol::DoneT()));
  EXPECT_TRUE(Eventually([&] { return store_.sessions() >= 2; }));
  fake_.Stop();
  fake_.ServeGladly();
  EXPECT_TRUE(Eventually([&] { return client.Put(Id("a"), {}).has_value(); }));
  EXPECT_EQ(openings_, 2);
  EXPECT_EQ(client.Flush()->size(), 1u);
}

TEST_F(SessionRingTest, AClosedClientDoesNotWaitForItsRing) {
  {
    Client client = Connect();
    EXPECT_TRUE(client.PutLater(Id("a"), {}));
  }
  EXPECT_TRUE(fake_.Next().has_value());
}

TEST_F(SessionRingTest, AChildIsToldToConnectAnew) {
  auto client = std::make_optional(Connect());
  EXPECT_TRUE(client->PutLater(Id("a"), {}));
  const pid_t child = ::fork();
  if (child == 0) {
    const bool forked =
        CodeOf(client->Put(Id("b"), {})) == Code::kForked &&
        CodeOf(client->PutLater(Id("b"), {})) == Code::kForked &&
        CodeOf(client->Flush()) == Code::kForked;
    client.reset();
    ::_exit(forked ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  fake_.ServeGladly();
  EXPECT_TRUE(client->Flush()->empty());
  EXPECT_EQ(fake_.ring().answered, 1u);
}

}  // namespace
}  // namespace vitrine
