// Puts of small objects, against a real store.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <vitrine/client.h>

#include <atomic>
#include <future>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/client/test_store.h"
#include "tests/client/waits.h"

namespace vitrine {
namespace {

class SmallPutTest : public testing::Test {
 protected:
  static std::string Name(size_t i) { return "object-" + std::to_string(i); }

  TestStore store_;
  Client client_ = store_.Connect();
};

// --- refused, full, died ---

TEST_F(SmallPutTest, ATakenIdIsRefusedAndNamed) {
  ASSERT_TRUE(client_.Put(Id("a"), BytesOf("first")));
  const Status again = client_.Put(Id("a"), BytesOf("second"));
  EXPECT_EQ(CodeOf(again), Code::kAlreadyExists);
  EXPECT_NE(again.error().message.find("`a` is taken"), std::string::npos);
  EXPECT_TRUE(client_.PutLater(Id("a"), BytesOf("third")));
  const auto failed = client_.Flush();
  ASSERT_EQ(failed->size(), 1u);
  EXPECT_EQ(failed->at(0).id.text(), "a");
  EXPECT_EQ(failed->at(0).error.code, Code::kAlreadyExists);
  EXPECT_EQ(TextOf(*client_.Get(Id("a"))), "first");
}

TEST_F(SmallPutTest, AnIdThatIsBeingWrittenIsTaken) {
  auto writer = client_.Create(Id("a"), 10, {.announce = true});
  ASSERT_TRUE(writer);
  EXPECT_EQ(CodeOf(client_.Put(Id("a"), {})), Code::kAlreadyExists);
}

TEST_F(SmallPutTest, AnotherClientsIdIsTaken) {
  Client other = store_.Connect();
  ASSERT_TRUE(client_.Put(Id("a"), {}));
  EXPECT_EQ(CodeOf(other.Put(Id("a"), {})), Code::kAlreadyExists);
}

TEST_F(SmallPutTest, WhenNothingCanGoItIsOutOfMemory) {
  std::vector<Object> held;
  CreateOptions options;
  options.timeout = Timeout(200);
  Status status;
  const std::string data = Content(1, 32000);
  for (size_t i = 0; i < 5000 && status; ++i) {
    status = client_.Put(Id(Name(i)), BytesOf(data), options);
    if (!status) break;
    auto object = client_.Get(Id(Name(i)));
    ASSERT_TRUE(object) << object.error().ToString();
    held.push_back(std::move(*object));
  }
  EXPECT_EQ(CodeOf(status), Code::kOutOfMemory);
  EXPECT_GT(held.size(), 500u);
  EXPECT_TRUE(client_.PutLater(Id("later"), BytesOf(data), options));
  const auto failed = client_.Flush(Timeout(20000));
  ASSERT_TRUE(failed);
  ASSERT_EQ(failed->size(), 1u);
  EXPECT_EQ(failed->at(0).error.code, Code::kOutOfMemory);
  for (const Object& object : held) ASSERT_EQ(TextOf(object), data);
}

// A put without a timeout does not delay another put beyond its timeout.
TEST_F(SmallPutTest, EachWaitsForRoomAsLongAsItMay) {
  CreateOptions short_options;
  short_options.timeout = Timeout(200);
  CreateOptions endless;
  endless.timeout = kNever;
  std::vector<Object> held;
  const std::string data = Content(1, 32000);
  for (size_t i = 0; client_.Put(Id(Name(i)), BytesOf(data), short_options);
       ++i) {
    held.push_back(*client_.Get(Id(Name(i))));
  }
  ASSERT_TRUE(client_.PutLater(Id("patient"), BytesOf(data), endless));
  EXPECT_EQ(CodeOf(client_.Put(Id("hasty"), BytesOf(data), short_options)),
            Code::kOutOfMemory);
  EXPECT_EQ(CodeOf(client_.PutLater(Id("hasty"), BytesOf(data), short_options)),
            Code::kOutOfMemory);
  EXPECT_EQ(CodeOf(client_.Flush(kPoll)), Code::kTimeout);
  held.clear();
  const auto failed = client_.Flush(Timeout(20000));
  ASSERT_TRUE(failed);
  EXPECT_TRUE(failed->empty());
  EXPECT_TRUE(*client_.Contains(Id("patient")));
  EXPECT_FALSE(*client_.Contains(Id("hasty")));
}

TEST_F(SmallPutTest, AKilledStoreEndsWhatIsOnItsWay) {
  std::atomic<bool> stop = false;
  std::atomic<int> put = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; !stop; ++i) {
        const ObjectId id = Id(std::to_string(t) + "-" + std::to_string(i));
        const Status status =
            t == 0 ? client_.Put(id, {}) : client_.PutLater(id, {});
        put += status ? 1 : 0;
        if (!status) {
          ASSERT_EQ(CodeOf(status), Code::kDisconnected);
          return;
        }
      }
    });
  }
  EXPECT_TRUE(Eventually([&] { return put > 100; }));
  store_.Kill();
  for (std::thread& thread : threads) thread.join();
  stop = true;
  const auto failed = client_.Flush(Timeout(20000));
  ASSERT_TRUE(failed) << failed.error().ToString();
  for (const FailedPut& one : *failed) {
    EXPECT_EQ(one.error.code, Code::kDisconnected) << one.error.ToString();
  }
  store_.Start();
  EXPECT_TRUE(
      Eventually([&] { return client_.Put(Id("again"), {}).has_value(); }));
  EXPECT_TRUE(client_.PutLater(Id("and again"), {}));
  EXPECT_TRUE(client_.Flush()->empty());
}

TEST_F(SmallPutTest, WhatWasAnsweredOutlivesAKilledStore) {
  for (size_t i = 0; i < 1000; ++i) {
    ASSERT_TRUE(client_.PutLater(Id(Name(i)), BytesOf(Content(i, i))));
  }
  ASSERT_TRUE(client_.Flush()->empty());
  store_.Kill();
  store_.Start();
  Client after = store_.Connect();
  for (size_t i = 0; i < 1000; ++i) {
    auto object = after.Get(Id(Name(i)));
    ASSERT_TRUE(object) << object.error().ToString();
    ASSERT_EQ(TextOf(*object), Content(i, i));
  }
}

TEST_F(SmallPutTest, AStoppedStoreIsWaitedFor) {
  ASSERT_TRUE(client_.Put(Id("a"), {}));
  ::kill(store_.pid(), SIGSTOP);
  siginfo_t stopped;  // It may run on for a moment.
  ASSERT_EQ(
      ::waitid(P_PID, static_cast<id_t>(store_.pid()), &stopped, WSTOPPED), 0);
  auto put =
      std::async(std::launch::async, [&] { return client_.Put(Id("b"), {}); });
  EXPECT_EQ(put.wait_for(std::chrono::milliseconds(300)),
            std::future_status::timeout);
  EXPECT_TRUE(client_.PutLater(Id("c"), {}));
  EXPECT_EQ(CodeOf(client_.Flush(Timeout(50))), Code::kTimeout);
  ::kill(store_.pid(), SIGCONT);
  EXPECT_TRUE(put.get());
  EXPECT_TRUE(client_.Flush()->empty());
  EXPECT_TRUE(*client_.Contains(Id("c")));
}

// --- as it should be ---

TEST_F(SmallPutTest, APutIsVisibleToAllWhenItReturns) {
  Client other = store_.Connect();
  for (size_t i = 0; i < 2000; ++i) {
    const std::string data = Content(i, i * 31 % 5000);
    ASSERT_TRUE(client_.Put(Id(Name(i)), BytesOf(data)));
    auto object = other.Get(Id(Name(i)));
    ASSERT_TRUE(object) << object.error().ToString();
    ASSERT_EQ(TextOf(*object), data);
  }
}

TEST_F(SmallPutTest, AllSizesUpToLargeOnesComeOutWhole) {
  const std::vector<size_t> sizes = {0,      1,      63,     64,    65,
                                     4095,   4096,   65535,  65536, 131071,
                                     131072, 131073, 1000000};
  for (const size_t size : sizes) {
    const std::string data = Content(size, size);
    ASSERT_TRUE(client_.Put(Id("p" + std::to_string(size)), BytesOf(data)));
    ASSERT_TRUE(
        client_.PutLater(Id("l" + std::to_string(size)), BytesOf(data)));
    ASSERT_TRUE(client_.Flush()->empty());
    EXPECT_EQ(TextOf(*client_.Get(Id("p" + std::to_string(size)))), data);
    EXPECT_EQ(TextOf(*client_.Get(Id("l" + std::to_string(size)))), data);
  }
}

TEST_F(SmallPutTest, AGetThatWaitsIsWoken) {
  Client other = store_.Connect();
  auto get = std::async(std::launch::async,
                        [&] { return other.Get(Id("a"), Timeout(20000)); });
  EXPECT_TRUE(SomebodyWaits(&client_));
  EXPECT_TRUE(client_.PutLater(Id("a"), BytesOf("x")));
  auto object = get.get();
  ASSERT_TRUE(object) << object.error().ToString();
  EXPECT_EQ(TextOf(*object), "x");
}

TEST_F(SmallPutTest, TheStoreKnowsItLikeAnyOther) {
  CreateOptions options;
  options.mode = 0644;
  ASSERT_TRUE(client_.Put(Id("a"), BytesOf("12345"), options));
  const auto stat = client_.Stat(Id("a"));
  ASSERT_TRUE(stat) << stat.error().ToString();
  EXPECT_TRUE(stat->sealed);
  EXPECT_EQ(stat->size_bytes, 5u);
  EXPECT_EQ(stat->mode, 0644u);
  EXPECT_EQ(stat->uid, ::getuid());
  EXPECT_EQ(stat->creator_pid, ::getpid());
  EXPECT_TRUE(client_.Delete(Id("a")));
  EXPECT_FALSE(*client_.Contains(Id("a")));
  EXPECT_TRUE(client_.Put(Id("a"), BytesOf("again")));
  EXPECT_EQ(TextOf(*client_.Get(Id("a"))), "again");
}

TEST_F(SmallPutTest, DeletingOneHarmsNoneBesideIt) {
  for (size_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(client_.Put(Id(Name(i)), BytesOf(Content(i, 100))));
  }
  auto held = client_.Get(Id(Name(0)));
  ASSERT_TRUE(held);
  for (size_t i = 0; i < 100; i += 2) ASSERT_TRUE(client_.Delete(Id(Name(i))));
  EXPECT_TRUE(client_.Put(Id("new"), BytesOf(Content(1000, 100))));
  EXPECT_EQ(TextOf(*held), Content(0, 100));
  for (size_t i = 1; i < 100; i += 2) {
    ASSERT_EQ(TextOf(*client_.Get(Id(Name(i)))), Content(i, 100));
  }
}

TEST_F(SmallPutTest, ManyThreadsAndClientsPutAtOnce) {
  std::vector<Client> clients = {client_, store_.Connect(), store_.Connect()};
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      Client client = clients[t % clients.size()];
      for (size_t i = 0; i < 2000; ++i) {
        const size_t number = t * 10000 + i;
        const std::string data = Content(number, number % 700);
        const ObjectId id = Id(Name(number));
        ASSERT_TRUE(i % 4 == 0 ? client.Put(id, BytesOf(data))
                               : client.PutLater(id, BytesOf(data)));
      }
      ASSERT_TRUE(client.Flush()->empty());
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t t = 0; t < 6; ++t) {
    for (size_t i = 0; i < 2000; ++i) {
      const size_t number = t * 10000 + i;
      auto object = client_.Get(Id(Name(number)));
      ASSERT_TRUE(object) << number << ": " << object.error().ToString();
      ASSERT_EQ(TextOf(*object), Content(number, number % 700));
    }
  }
}

TEST_F(SmallPutTest, AChildPutsThroughARingOfItsOwn) {
  if (kThreadSanitizer) {
    GTEST_SKIP() << "ThreadSanitizer has no threads after a fork";
  }
  ASSERT_TRUE(client_.PutLater(Id("before"), {}));
  const pid_t child = ::fork();
  if (child == 0) {
    if (CodeOf(client_.Put(Id("x"), {})) != Code::kForked) ::_exit(1);
    auto own = Client::Connect(store_.Options());
    if (!own || !own->Put(Id("child's"), BytesOf("c"))) ::_exit(2);
    client_ = *own;
    ::_exit(client_.PutLater(Id("child's later"), {}) && client_.Flush() ? 0
                                                                         : 3);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(client_.Put(Id("after"), {}));
  EXPECT_TRUE(client_.Flush()->empty());
  for (const char* id : {"before", "child's", "child's later", "after"}) {
    EXPECT_TRUE(*client_.Contains(Id(id))) << id;
  }
}

TEST_F(SmallPutTest, ForksAmongPuttingThreadsDoNotHang) {
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; !stop; ++i) {
        const ObjectId id = Id(std::to_string(t) + "-" + std::to_string(i));
        EXPECT_TRUE(t == 0 ? client_.Put(id, {}) : client_.PutLater(id, {}));
      }
    });
  }
  for (int round = 0; round < 50; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      const Code code = CodeOf(client_.PutLater(Id("x"), {}));
      client_ = client_;
      ::_exit(code == Code::kForked ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(client_.Flush()->empty());
}

}  // namespace
}  // namespace vitrine
