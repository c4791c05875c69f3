// Larger objects of a steady producer, which are filled in blanks, against a
// real store.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vitrine/client.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/client/test_store.h"

namespace vitrine {
namespace {

constexpr size_t kBytes = 300'000;

class BlankWriterTest : public testing::Test {
 protected:
  nlohmann::json StoreStatus() {
    auto text = observer_.GetStatus();
    if (!text) throw std::runtime_error(text.error().ToString());
    return nlohmann::json::parse(*text);
  }
  uint64_t Sealed() {
    return StoreStatus()["server"]["rings"]["blanks_sealed"];
  }
  uint64_t Blanks() { return StoreStatus()["objects"]["blanks"]; }

  // A writer for `id` that is filled with `text`.
  Writer Filled(const std::string& id, const std::string& text,
                const CreateOptions& options = {}) {
    auto writer = client_->Create(Id(id), text.size(), options);
    if (!writer) throw std::runtime_error(writer.error().ToString());
    std::memcpy(writer->bytes().data(), text.data(), text.size());
    return std::move(*writer);
  }
  // Creates and deletes objects like those to come, until blanks are there.
  void Warm(size_t size = kBytes, const CreateOptions& options = {}) {
    const std::string text(size, 'w');
    const uint64_t before = Sealed();
    EXPECT_TRUE(Eventually([&] {
      const std::string id = "warm-" + std::to_string(warmed_++);
      EXPECT_TRUE(Filled(id, text, options).Seal());
      EXPECT_TRUE(client_->Delete(Id(id)));
      return Sealed() > before;
    }));
    EXPECT_TRUE(Eventually([&] { return Blanks() > 4; }));
  }
  // Runs `use`, and says how many objects were sealed in blanks meanwhile.
  template <typename Use>
  uint64_t CountSealed(Use use) {
    const uint64_t before = Sealed();
    use();
    return Sealed() - before;
  }

  TestStore store_;
  Client observer_ = store_.Connect();
  std::optional<Client> client_ = store_.Connect();
  int warmed_ = 0;
};

TEST_F(BlankWriterTest, AFewObjectsMakeNoBlanks) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(Filled(std::to_string(i), Content(1, kBytes)).Seal());
  }
  EXPECT_EQ(Blanks(), 0u);
  EXPECT_EQ(Sealed(), 0u);
}

TEST_F(BlankWriterTest, ASteadyProducerFillsBlanks) {
  Warm();
  std::string text = Content(1, kBytes);
  EXPECT_EQ(CountSealed([&] {
              Writer writer = Filled("a", text);
              ASSERT_TRUE(writer.Seal());
              EXPECT_TRUE(writer.bytes().empty());
              EXPECT_EQ(CodeOf(writer.Seal()), Code::kInvalidArgument);
            }),
            1u);
  EXPECT_EQ(TextOf(*observer_.Get(Id("a"))), text);
  EXPECT_EQ(observer_.Stat(Id("a"))->size_bytes, kBytes);
  EXPECT_EQ(observer_.Stat(Id("a"))->creator_pid, ::getpid());
}

TEST_F(BlankWriterTest, ManyObjectsKeepTheirContent) {
  for (int i = 0; i < 150; ++i) {
    const std::string id = std::to_string(i);
    // Of one size class.
    const std::string text =
        Content(static_cast<uint64_t>(i), kBytes - static_cast<size_t>(i) * 99);
    if (i % 3 == 0) {
      ASSERT_TRUE(Filled(id, text).Seal());
    } else if (i % 3 == 1) {
      ASSERT_TRUE(client_->Put(Id(id), BytesOf(text)));
    } else {
      ASSERT_TRUE(client_->PutLater(Id(id), BytesOf(text)));
    }
  }
  ASSERT_TRUE(client_->Flush()->empty());
  for (int i = 0; i < 150; ++i) {
    auto object = observer_.Get(Id(std::to_string(i)));
    ASSERT_TRUE(object) << i;
    ASSERT_EQ(TextOf(*object), Content(static_cast<uint64_t>(i),
                                       kBytes - static_cast<size_t>(i) * 99));
  }
  EXPECT_GT(Sealed(), 0u);
}

TEST_F(BlankWriterTest, ATakenIdIsToldAtOnceAndARaceAtTheSeal) {
  Warm();
  Writer first = Filled("a", Content(1, kBytes));
  Writer second = Filled("a", Content(2, kBytes));
  Writer third = Filled("a", Content(3, kBytes));
  ASSERT_TRUE(first.Seal());
  EXPECT_EQ(CodeOf(second.Seal()), Code::kAlreadyExists);
  EXPECT_EQ(CodeOf(second.Seal()), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf(client_->Create(Id("a"), kBytes)), Code::kAlreadyExists);
  EXPECT_EQ(CodeOf(client_->Put(Id("a"), BytesOf(Content(4, kBytes)))),
            Code::kAlreadyExists);
  ASSERT_TRUE(third.SealLater());
  const auto failed = client_->Flush();
  ASSERT_EQ(failed->size(), 1u);
  EXPECT_EQ(failed->at(0).error.code, Code::kAlreadyExists);
  EXPECT_EQ(TextOf(*client_->Get(Id("a"))), Content(1, kBytes));
}

TEST_F(BlankWriterTest, AnAnnouncedObjectIsTheStoresFromTheBeginning) {
  Warm();
  auto writer = client_->Create(Id("a"), kBytes, {.announce = true});
  ASSERT_TRUE(writer);
  EXPECT_EQ(observer_.List(Listed::kUnsealed)->size(), 1u);
  Writer late = Filled("a", Content(1, kBytes));
  EXPECT_EQ(CodeOf(late.Seal()), Code::kAlreadyExists);
  EXPECT_TRUE(writer->Seal());
}

TEST_F(BlankWriterTest, AnAbortedOrDroppedOneLeavesNothing) {
  Warm();
  EXPECT_EQ(CountSealed([&] {
              Writer aborted = Filled("a", Content(1, kBytes));
              ASSERT_TRUE(aborted.Abort());
              EXPECT_TRUE(aborted.bytes().empty());
              EXPECT_EQ(CodeOf(aborted.Abort()), Code::kInvalidArgument);
              { const Writer dropped = Filled("b", Content(1, kBytes)); }
              ASSERT_TRUE(Filled("c", Content(3, kBytes)).Seal());
            }),
            1u);
  EXPECT_FALSE(*client_->Contains(Id("a")));
  EXPECT_FALSE(*client_->Contains(Id("b")));
  EXPECT_EQ(TextOf(*client_->Get(Id("c"))), Content(3, kBytes));
}

TEST_F(BlankWriterTest, ModeAndMetadataGoAlong) {
  const CreateOptions options = {.metadata = {{"dtype", "float32"}},
                                 .mode = 0600};
  Warm(kBytes, options);
  EXPECT_EQ(CountSealed([&] {
              ASSERT_TRUE(Filled("a", Content(1, kBytes), options).Seal());
            }),
            1u);
  EXPECT_EQ(observer_.Stat(Id("a"))->mode, 0600u);
  EXPECT_EQ(*observer_.GetMetadata(Id("a")), options.metadata);
  EXPECT_EQ(TextOf(*observer_.Get(Id("a"))), Content(1, kBytes));
}

TEST_F(BlankWriterTest, MuchMetadataGoesByMessage) {
  Warm();
  const CreateOptions options = {
      .metadata = {{"much", std::string(kMaxMetadataBytes / 2, 'm')}}};
  EXPECT_EQ(CountSealed([&] {
              ASSERT_TRUE(Filled("a", Content(1, kBytes), options).Seal());
            }),
            0u);
  EXPECT_EQ(*observer_.GetMetadata(Id("a")), options.metadata);
}

TEST_F(BlankWriterTest, LargerObjectsOfAKindAreServedInTheEnd) {
  Warm(kBytes - 20'000);
  Warm(kBytes);
  ASSERT_TRUE(Filled("a", Content(1, kBytes)).Seal());
  EXPECT_EQ(TextOf(*observer_.Get(Id("a"))), Content(1, kBytes));
}

TEST_F(BlankWriterTest, AChildHasNoPartInThem) {
  Warm();
  Writer writer = Filled("a", Content(1, kBytes));
  const pid_t child = ::fork();
  if (child == 0) {
    const bool empty = writer.bytes().empty();
    const bool refused =
        CodeOf(writer.Seal()) == Code::kForked &&
        CodeOf(client_->Create(Id("b"), kBytes)) == Code::kForked;
    {
      const Writer ended = std::move(writer);
      client_.reset();
    }
    ::_exit(empty && refused ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  ASSERT_TRUE(writer.Seal());
  EXPECT_EQ(TextOf(*observer_.Get(Id("a"))), Content(1, kBytes));
}

TEST_F(BlankWriterTest, ARestartOfTheStoreEndsThem) {
  Warm();
  Writer writer = Filled("a", Content(1, kBytes));
  store_.Kill();
  store_.Start();
  EXPECT_TRUE(Eventually([&] { return client_->List().has_value(); }));
  EXPECT_TRUE(Eventually([&] { return observer_.List().has_value(); }));
  EXPECT_EQ(CodeOf(writer.Seal()), Code::kGone);
  EXPECT_EQ(Blanks(), 0u);
  Warm();
  ASSERT_TRUE(Filled("a", Content(2, kBytes)).Seal());
  EXPECT_EQ(TextOf(*observer_.Get(Id("a"))), Content(2, kBytes));
}

TEST_F(BlankWriterTest, AClientThatClosesLeavesNone) {
  Warm();
  auto writer = client_->Create(Id("a"), kBytes);
  ASSERT_TRUE(writer);
  client_.reset();
  EXPECT_TRUE(Eventually([&] { return Blanks() == 0; }));
  EXPECT_EQ(CodeOf(writer->Seal()), Code::kGone);
  EXPECT_TRUE(Eventually([&] { return StoreStatus()["used_bytes"] == 0; }))
      << StoreStatus()["used_bytes"];
}

TEST_F(BlankWriterTest, TheyAreGivenBackWhenNothingElseIsLeft) {
  Warm();
  const std::string text(1'000'000, 'h');
  std::vector<Object> held;
  // All of the memory, but less than one object of it.
  for (int i = 0; held.size() < 66 && i < 500; ++i) {
    const std::string id = "held-" + std::to_string(i);
    const Status put = observer_.Put(Id(id), BytesOf(text));
    if (!put) break;
    auto object = observer_.Get(Id(id));
    if (object) held.push_back(*std::move(object));  // Else it was evicted.
  }
  EXPECT_EQ(Blanks(), 0u);
  EXPECT_GE(held.size(), 66u) << StoreStatus().dump(1);
  held.clear();
  Warm();
}

// Memory comes back only after the seal, for which the put must not wait.
TEST_F(BlankWriterTest, ASealDoesNotWaitForThoseWhoWaitForMemory) {
  Warm();
  Writer writer = Filled("a", Content(1, kBytes));
  std::vector<Object> held;
  const std::string text(30'000, 'h');
  int next = 0;
  for (;; ++next) {
    const std::string id = "held-" + std::to_string(next);
    if (!observer_.Put(Id(id), BytesOf(text), {.timeout = Timeout(300)})) break;
    auto object = observer_.Get(Id(id));
    if (object) held.push_back(*std::move(object));  // Else it was evicted.
  }
  ASSERT_TRUE(
      client_->PutLater(Id("waits"), BytesOf(text), {.timeout = kNever}));
  EXPECT_TRUE(
      Eventually([&] { return StoreStatus()["memory"]["waiters"] != 0; }));
  ASSERT_TRUE(writer.Seal());
  // All others are held: it may have gone to the put already.
  const auto sealed = observer_.Get(Id("a"));
  if (sealed) {
    EXPECT_EQ(TextOf(*sealed), Content(1, kBytes));
  } else {
    EXPECT_EQ(sealed.error().code, Code::kNotFound);
  }
  held.clear();
  EXPECT_TRUE(client_->Flush()->empty());
}

TEST_F(BlankWriterTest, AnObjectInHandKeepsNoBlanks) {
  Warm();
  ASSERT_TRUE(client_->Put(Id("small"), BytesOf("text")));
  auto object = client_->Get(Id("small"));
  ASSERT_TRUE(object);
  client_.reset();
  EXPECT_TRUE(Eventually([&] { return Blanks() == 0; }));
  EXPECT_TRUE(Eventually(
      [&] { return StoreStatus()["objects"]["deleted_in_use_bytes"] == 0; }));
  EXPECT_EQ(TextOf(*object), "text");
}

// The store is stopped just when the client asks for blanks.
TEST_F(BlankWriterTest, AClientClosesAtOnceThoughTheStoreIsStopped) {
  Warm();
  ::kill(store_.pid(), SIGSTOP);
  std::vector<Writer> writers;  // Until it asks for more.
  for (int i = 0; i < 4; ++i) {
    writers.push_back(Filled(std::to_string(i), Content(1, kBytes)));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const auto start = std::chrono::steady_clock::now();
  client_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  ::kill(store_.pid(), SIGCONT);
}

TEST_F(BlankWriterTest, AnIdleClientGivesThemBack) {
  Warm();
  EXPECT_TRUE(
      Eventually([&] { return Blanks() == 0; }, std::chrono::seconds(60)));
  EXPECT_TRUE(Eventually([&] { return StoreStatus()["used_bytes"] == 0; }));
  // For good: it asks for no others.
  const auto asked = StoreStatus()["server"]["requests"]["Blanks"];
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_EQ(StoreStatus()["server"]["requests"]["Blanks"], asked);
  EXPECT_EQ(Blanks(), 0u);
}

TEST_F(BlankWriterTest, ThreadsShareThem) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 60; ++i) {
        const std::string id = std::to_string(t) + "-" + std::to_string(i);
        const std::string text = Content(static_cast<uint64_t>(i), kBytes);
        if (i % 2 == 0) {
          EXPECT_TRUE(client_->Put(Id(id), BytesOf(text)));
        } else {
          EXPECT_TRUE(Filled(id, text).Seal());
        }
        const auto object = client_->Get(Id(id));
        ASSERT_TRUE(object);
        EXPECT_EQ(TextOf(*object), text);
        EXPECT_TRUE(client_->Delete(Id(id)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(Sealed(), 0u);
}

}  // namespace
}  // namespace vitrine
