#include <grp.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <vitrine/client.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <thread>
#include <vector>

#include "schema/base/unique_fd.h"
#include "tests/client/test_store.h"
#include "tests/client/waits.h"

namespace vitrine {
namespace {

using std::chrono::milliseconds;

size_t OpenDescriptors() {
  const std::filesystem::directory_iterator fds("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(fds), end(fds)));
}

// Without those that are open for a moment, as blanks are while they are
// mapped.
size_t KeptDescriptors() {
  size_t least = OpenDescriptors();
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    least = std::min(least, OpenDescriptors());
  }
  return least;
}

class ClientTest : public testing::Test {
 protected:
  Status Put(const std::string& id, const std::string& text,
             const CreateOptions& options = {}) {
    return client_.Put(Id(id), BytesOf(text), options);
  }

  TestStore store_;
  Client client_ = store_.Connect();
};

// --- full, wrong, too early, twice ---

TEST_F(ClientTest, MoreThanTheCapacityIsTooLarge) {
  EXPECT_EQ(CodeOf(client_.Create(Id("a"), uint64_t{1} << 30)),
            Code::kTooLarge);
  EXPECT_EQ(CodeOf(client_.Create(Id("a"), ~uint64_t{0})), Code::kTooLarge);
}

TEST_F(ClientTest, WithoutRoomInTimeItIsOutOfMemory) {
  auto first = client_.Create(Id("a"), 40 << 20);
  ASSERT_TRUE(first) << first.error().ToString();
  CreateOptions options;
  options.timeout = Timeout(50);
  EXPECT_EQ(CodeOf(client_.Create(Id("b"), 40 << 20, options)),
            Code::kOutOfMemory);
  options.timeout = kPoll;
  EXPECT_EQ(CodeOf(client_.Create(Id("b"), 40 << 20, options)),
            Code::kOutOfMemory);
}

TEST_F(ClientTest, TheIdOfAnObjectIsTaken) {
  auto writer = client_.Create(Id("a"), 10, {.announce = true});
  EXPECT_EQ(CodeOf(client_.Create(Id("a"), 10, {.announce = true})),
            Code::kAlreadyExists);
  EXPECT_EQ(CodeOf(Put("a", "x")), Code::kAlreadyExists);
  ASSERT_TRUE(writer->Seal());
  EXPECT_EQ(CodeOf(client_.Create(Id("a"), 10)), Code::kAlreadyExists);
  EXPECT_EQ(CodeOf(Put("a", "x")), Code::kAlreadyExists);
}

TEST_F(ClientTest, AnUnsealedObjectIsNotThere) {
  auto writer = client_.Create(Id("a"), 10, {.announce = true});
  EXPECT_EQ(CodeOf(client_.Get(Id("a"))), Code::kNotFound);
  EXPECT_EQ(CodeOf(client_.Get(Id("a"), Timeout(20))), Code::kTimeout);
  EXPECT_FALSE(*client_.Contains(Id("a")));
  EXPECT_FALSE(client_.Stat(Id("a"))->sealed);
  EXPECT_EQ(client_.List()->size(), 0u);
  EXPECT_EQ(client_.List(Listed::kUnsealed)->size(), 1u);
}

TEST_F(ClientTest, AWriterEndsOnce) {
  auto writer = client_.Create(Id("a"), 10);
  ASSERT_EQ(writer->bytes().size(), 10u);
  EXPECT_TRUE(writer->Seal());
  EXPECT_TRUE(writer->bytes().empty());
  EXPECT_EQ(CodeOf(writer->Seal()), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf(writer->Abort()), Code::kInvalidArgument);
  EXPECT_TRUE(*client_.Contains(Id("a")));
  Writer moved = std::move(*writer);
  EXPECT_EQ(CodeOf(writer->Seal()), Code::kInvalidArgument);
  EXPECT_TRUE(writer->bytes().empty());
}

TEST_F(ClientTest, AnAbortedObjectIsGone) {
  auto writer = client_.Create(Id("a"), 10, {.announce = true});
  EXPECT_TRUE(writer->Abort());
  EXPECT_EQ(CodeOf(client_.Stat(Id("a"))), Code::kNotFound);
  { auto dropped = client_.Create(Id("a"), 10, {.announce = true}); }
  EXPECT_EQ(CodeOf(client_.Stat(Id("a"))), Code::kNotFound);
  EXPECT_TRUE(Put("a", "x"));
}

TEST_F(ClientTest, AWriterKeepsAnObjectThatIsStillMappedElsewhere) {
  auto writer = client_.Create(Id("a"), 5, {.announce = true});
  ASSERT_TRUE(writer);
  std::memcpy(writer->bytes().data(), "hello", 5);
  const std::string segments = store_.memory_dir() + "/segments";
  std::string path;
  for (const auto& file : std::filesystem::directory_iterator(segments)) {
    path = file.path();
  }
  {
    const UniqueFd other(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_TRUE(other.valid());
    EXPECT_EQ(CodeOf(writer->Seal()), Code::kInUse);
    EXPECT_TRUE(writer->bytes().empty());
  }
  EXPECT_TRUE(writer->Seal());
  EXPECT_EQ(TextOf(*client_.Get(Id("a"))), "hello");
}

TEST_F(ClientTest, WhatWasMovedFromSaysSo) {
  Client moved = std::move(client_);
  EXPECT_EQ(CodeOf(client_.Get(Id("a"))), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf(client_.Delete(Id("a"))), Code::kInvalidArgument);
  ASSERT_TRUE(moved.Put(Id("a"), BytesOf("x")));
  Object object = *moved.Get(Id("a"));
  const Object other = std::move(object);
  EXPECT_TRUE(object.bytes().empty());
  EXPECT_EQ(CodeOf(object.GetMetadata()), Code::kInvalidArgument);
  client_ = moved;
}

TEST_F(ClientTest, ABadModeOrBadMetadataIsRefused) {
  CreateOptions options;
  options.mode = 04644;
  EXPECT_EQ(CodeOf(Put("a", "x", options)), Code::kInvalidArgument);
  options.mode = 0644;
  options.metadata["vitrine.size"] = "1";
  EXPECT_EQ(CodeOf(Put("a", "x", options)), Code::kInvalidArgument);
}

// --- bytes ---

TEST_F(ClientTest, BytesOfAllSizesComeBack) {
  size_t number = 0;
  for (const size_t size : {0u, 1u, 63u, 4095u, 4096u, 4097u, 65535u, 65536u,
                            65537u, 1u << 20, (2u << 20) + 1}) {
    const std::string id = "object" + std::to_string(number++);
    ASSERT_TRUE(Put(id, Content(size, size))) << size;
    auto object = client_.Get(Id(id));
    ASSERT_TRUE(object) << object.error().ToString();
    EXPECT_EQ(object->size_bytes(), size);
    EXPECT_TRUE(TextOf(*object) == Content(size, size)) << size;
  }
}

TEST_F(ClientTest, AnObjectOfNoBytesIsAnObject) {
  auto writer = client_.Create(Id("empty"), 0);
  ASSERT_TRUE(writer) << writer.error().ToString();
  EXPECT_TRUE(writer->bytes().empty());
  ASSERT_TRUE(writer->Seal());
  auto object = client_.Get(Id("empty"));
  ASSERT_TRUE(object);
  EXPECT_EQ(object->size_bytes(), 0u);
}

TEST_F(ClientTest, LongAndBinaryIdsAreIds) {
  std::array<std::byte, 20> raw;
  for (size_t i = 0; i < raw.size(); ++i) raw[i] = std::byte(i * 13);
  std::vector<ObjectId> ids = {Id(std::string(255, 'x')), Id("\x01\xff \n*"),
                               ObjectId::FromBinary(raw), ObjectId::Random()};
  for (const ObjectId& id : ids) {
    ASSERT_TRUE(client_.Put(id, BytesOf(id.text())));
    auto object = client_.Get(id);
    ASSERT_TRUE(object) << object.error().ToString();
    EXPECT_EQ(TextOf(*object), id.text());
    EXPECT_EQ(client_.Stat(id)->id, id);
  }
}

TEST_F(ClientTest, ObjectsOutliveTheirDeletionAndTheClient) {
  const std::string text = Content(1, 200000);
  ASSERT_TRUE(Put("a", text));
  std::optional<Object> object;
  {
    Client second = store_.Connect();
    object = *second.Get(Id("a"));
  }
  ASSERT_TRUE(client_.Delete(Id("a")));
  EXPECT_TRUE(TextOf(*object) == text);
  EXPECT_EQ(object->GetMetadata()->size(), 0u);
}

TEST_F(ClientTest, ADeletedIdIsFreeAndNeverStale) {
  for (int round = 0; round < 50; ++round) {
    ASSERT_TRUE(Put("a", std::to_string(round)));
    EXPECT_EQ(TextOf(*client_.Get(Id("a"))), std::to_string(round));
    ASSERT_TRUE(client_.Delete(Id("a")));
    EXPECT_EQ(CodeOf(client_.Get(Id("a"))), Code::kNotFound);
  }
}

// --- what else there is to ask ---

TEST_F(ClientTest, MetadataComesBack) {
  CreateOptions options;
  options.metadata = {{"dtype", "float32"}, {"raw", std::string("\0\xff", 2)}};
  ASSERT_TRUE(Put("a", "x", options));
  ASSERT_TRUE(Put("plain", "x"));
  EXPECT_EQ(*client_.GetMetadata(Id("a")), options.metadata);
  Object object = *client_.Get(Id("a"));
  EXPECT_EQ(*object.GetMetadata(), options.metadata);
  EXPECT_EQ(client_.Get(Id("plain"))->GetMetadata()->size(), 0u);
  EXPECT_EQ(CodeOf(client_.GetMetadata(Id("none"))), Code::kNotFound);
  store_.Kill();
  EXPECT_EQ(*object.GetMetadata(), options.metadata);  // Known by now.
}

TEST_F(ClientTest, MetadataIsNeverThatOfALaterObject) {
  CreateOptions options;
  options.metadata = {{"version", "1"}};
  ASSERT_TRUE(Put("a", "x", options));
  const Object first = *client_.Get(Id("a"));
  ASSERT_TRUE(client_.Delete(Id("a")));
  EXPECT_EQ(CodeOf(first.GetMetadata()), Code::kNotFound);
  options.metadata = {{"version", "2"}};
  ASSERT_TRUE(Put("a", "x", options));
  EXPECT_EQ(CodeOf(first.GetMetadata()), Code::kNotFound);
}

TEST_F(ClientTest, TheLargestMetadataGoesWithTheLargestInlinePut) {
  CreateOptions options;
  options.metadata = {{"m", Content(1, 32 * 1024 - 1)}};
  const std::string text = Content(2, 64 * 1024);
  const std::string id(255, 'i');
  ASSERT_TRUE(Put(id, text, options));
  EXPECT_TRUE(*client_.GetMetadata(Id(id)) == options.metadata);
}

TEST_F(ClientTest, StatKnowsWhatTheCreatorSaid) {
  CreateOptions options;
  options.mode = 0640;
  ASSERT_TRUE(Put("a", "hello", options));
  auto stat = client_.Stat(Id("a"));
  ASSERT_TRUE(stat) << stat.error().ToString();
  EXPECT_TRUE(stat->sealed);
  EXPECT_EQ(stat->size_bytes, 5u);
  EXPECT_EQ(stat->mode & 0777, 0640u);
  EXPECT_EQ(stat->uid, ::getuid());
  EXPECT_EQ(stat->creator_pid, ::getpid());
  EXPECT_GT(stat->created_ns, 0);
  EXPECT_GE(stat->sealed_ns, stat->created_ns);
  EXPECT_EQ(stat->tier, "memory");
  EXPECT_EQ(CodeOf(client_.Stat(Id("none"))), Code::kNotFound);
}

TEST_F(ClientTest, TheUmaskApplies) {
  const mode_t before = ::umask(027);
  Client strict = store_.Connect();
  ::umask(before);
  ASSERT_TRUE(strict.Put(Id("a"), BytesOf("x")));
  EXPECT_EQ(client_.Stat(Id("a"))->mode & 0777, 0640u);
}

TEST_F(ClientTest, ListsManyInTheOrderOfTheirAge) {
  constexpr size_t kObjects = 1000;
  for (size_t i = 0; i < kObjects; ++i) {
    ASSERT_TRUE(Put("object" + std::to_string(i) + std::string(200, '.'), "x"));
  }
  auto objects = client_.List();
  ASSERT_TRUE(objects) << objects.error().ToString();
  ASSERT_EQ(objects->size(), kObjects);
  for (size_t i = 0; i < kObjects; ++i) {
    EXPECT_EQ((*objects)[i].id.text(),
              "object" + std::to_string(i) + std::string(200, '.'));
  }
}

TEST_F(ClientTest, DeleteSaysForEachWhatHappened) {
  std::vector<ObjectId> ids;
  for (int i = 0; i < 700; ++i) {
    ids.push_back(Id("object" + std::to_string(i)));
    if (i % 2 == 0) {
      ASSERT_TRUE(client_.Put(ids.back(), BytesOf("x")));
    }
  }
  auto results = client_.DeleteMany(ids);
  ASSERT_TRUE(results);
  ASSERT_EQ(results->size(), ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ((*results)[i].has_value(), i % 2 == 0);
    if (i % 2 != 0) {
      EXPECT_EQ(CodeOf((*results)[i]), Code::kNotFound);
    }
  }
  EXPECT_EQ(client_.DeleteMany({})->size(), 0u);
  EXPECT_EQ(CodeOf(client_.Delete(ids[0])), Code::kNotFound);
}

TEST_F(ClientTest, SealsAndAbortsWhatAnotherLeft) {
  Client other = store_.Connect();
  auto first = other.Create(Id("first"), 1, {.announce = true});
  auto second = other.Create(Id("second"), 1, {.announce = true});
  EXPECT_EQ(CodeOf(client_.SealByName(Id("first"))), Code::kInUse);
  EXPECT_TRUE(client_.AbortByName(Id("second")));
  EXPECT_EQ(CodeOf(second->Seal()), Code::kGone);
  EXPECT_EQ(CodeOf(client_.SealByName(Id("none"))), Code::kNotFound);
  EXPECT_EQ(CodeOf(client_.AbortByName(Id("none"))), Code::kNotFound);
}

TEST_F(ClientTest, StatusAndStateDirAreThere) {
  auto status = client_.GetStatus();
  ASSERT_TRUE(status) << status.error().ToString();
  EXPECT_EQ(status->front(), '{');
  EXPECT_FALSE(client_.StateDir()->empty());
}

// --- eviction ---

TEST_F(ClientTest, EvictionTakesKeptMappingsButNothingInHand) {
  const std::string text = Content(1, 1 << 20);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(Put("object" + std::to_string(i), text));
  }
  std::vector<Object> held;
  for (int i = 0; i < 20; ++i) {
    auto object = client_.Get(Id("object" + std::to_string(i)));
    ASSERT_TRUE(object);
    if (i < 3) held.push_back(*object);
  }
  auto evicted = client_.Evict(uint64_t{1} << 30);
  ASSERT_TRUE(evicted) << evicted.error().ToString();
  EXPECT_GE(*evicted, uint64_t{17} << 20);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(*client_.Contains(Id("object" + std::to_string(i))), i < 3) << i;
  }
  for (const Object& object : held) EXPECT_TRUE(TextOf(object) == text);
}

TEST_F(ClientTest, AHeldObjectStays) {
  ASSERT_TRUE(Put("held", Content(1, 1 << 20)));
  ASSERT_TRUE(Put("other", Content(1, 1 << 20)));
  ASSERT_TRUE(client_.Hold(Id("held")));
  EXPECT_TRUE(client_.Stat(Id("held"))->hold);
  ASSERT_TRUE(client_.Evict(uint64_t{1} << 30));
  EXPECT_TRUE(*client_.Contains(Id("held")));
  EXPECT_FALSE(*client_.Contains(Id("other")));
  ASSERT_TRUE(client_.Unhold(Id("held")));
  ASSERT_TRUE(client_.Evict(uint64_t{1} << 30));
  EXPECT_FALSE(*client_.Contains(Id("held")));
  EXPECT_EQ(CodeOf(client_.Hold(Id("none"))), Code::kNotFound);
}

TEST_F(ClientTest, MoreThanTheCapacityGoesThroughAndReadersSeeTheRightBytes) {
  int evicted = 0;
  for (uint64_t i = 0; i < 300; ++i) {
    const std::string id = "object" + std::to_string(i);
    const std::string text = Content(i, 1 << 20);
    ASSERT_TRUE(Put(id, text)) << i;
    auto object = client_.Get(Id(id));
    if (!object && object.error().code == Code::kNotFound) {
      ++evicted;  // This client was slow to unmap what is older.
      continue;
    }
    ASSERT_TRUE(object) << object.error().ToString();
    ASSERT_TRUE(TextOf(*object) == text);
  }
  EXPECT_LT(evicted, 30);
}

// --- permissions ---

TEST_F(ClientTest, AnotherUserGetsOnlyWhatTheModeAllows) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root to become another user";
  if (kThreadSanitizer) GTEST_SKIP() << "no threads after a fork";
  CreateOptions options;
  options.mode = 0600;
  ASSERT_TRUE(Put("private", "secret", options));
  options.mode = 0644;
  ASSERT_TRUE(Put("public", "known", options));
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgroups(0, nullptr) != 0 || ::setgid(65534) != 0 ||
        ::setuid(65534) != 0) {
      ::_exit(1);
    }
    auto other = Client::Connect(store_.Options());
    if (!other) ::_exit(other.error().code == Code::kPermissionDenied ? 0 : 2);
    auto open = other->Get(Id("public"));
    if (!open || TextOf(*open) != "known") ::_exit(3);
    if (CodeOf(other->Get(Id("private"))) != Code::kPermissionDenied) {
      ::_exit(4);
    }
    if (CodeOf(other->Delete(Id("public"))) != Code::kNotPermitted) {
      ::_exit(5);
    }
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(TextOf(*client_.Get(Id("private"))), "secret");
}

// --- threads ---

TEST_F(ClientTest, ManyThreadsGetPutAndDelete) {
  constexpr int kThreads = 8;
  ASSERT_TRUE(Put("shared", Content(1, 200000)));
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 60; ++i) {
        const uint64_t seed = static_cast<uint64_t>(t * 1000 + i);
        const std::string id = "object" + std::to_string(seed);
        ASSERT_TRUE(Put(id, Content(seed, 150000)));
        for (int round = 0; round < 20; ++round) {
          auto own = client_.Get(Id(id));
          ASSERT_TRUE(own) << own.error().ToString();
          auto shared = client_.Get(Id("shared"));
          ASSERT_TRUE(shared);
          ASSERT_EQ(shared->size_bytes(), 200000u);
        }
        ASSERT_TRUE(TextOf(*client_.Get(Id(id))) == Content(seed, 150000));
        ASSERT_TRUE(client_.Delete(Id(id)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(ClientTest, ObjectsAreReleasedByOtherThreads) {
  ASSERT_TRUE(Put("a", "hello"));
  for (int round = 0; round < 20; ++round) {
    std::vector<Object> objects;
    for (int i = 0; i < 200; ++i) objects.push_back(*client_.Get(Id("a")));
    std::thread([moved = std::move(objects)]() mutable {
      moved.clear();
    }).join();
  }
  ASSERT_TRUE(client_.Evict(uint64_t{1} << 30));
  EXPECT_FALSE(*client_.Contains(Id("a")));
}

TEST_F(ClientTest, ABlockedGetDelaysNobody) {
  std::vector<std::thread> waiting;
  std::atomic<int> woken = 0;
  for (int i = 0; i < 20; ++i) {
    waiting.emplace_back([&] {
      auto object = client_.Get(Id("late"), kNever);
      if (object && TextOf(*object) == "now") ++woken;
    });
  }
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(Put("object" + std::to_string(i), "x"));
  }
  EXPECT_EQ(woken, 0);
  ASSERT_TRUE(Put("late", "now"));
  for (std::thread& thread : waiting) thread.join();
  EXPECT_EQ(woken, 20);
}

TEST_F(ClientTest, WaitingGetsAreCountedUntilTheyEnd) {
  const auto waits = [&] {
    const std::string status = *client_.GetStatus();
    return status.substr(status.find("\"waits\":", status.find("server")), 9);
  };
  std::thread waiting([&] { EXPECT_TRUE(client_.Get(Id("late"), kNever)); });
  EXPECT_TRUE(Eventually([&] { return waits() == "\"waits\":1"; })) << waits();
  ASSERT_TRUE(Put("late", "now"));
  waiting.join();
  EXPECT_EQ(waits(), "\"waits\":0");
}

// Sealed in its own segment, in a slab, by a message, by name.
TEST_F(ClientTest, EveryWayToSealWakesWhoWaits) {
  Client other = store_.Connect();
  const std::vector<std::function<void(const ObjectId&)>> ways = {
      [&](const ObjectId& id) { ASSERT_TRUE(other.Put(id, BytesOf("small"))); },
      [&](const ObjectId& id) {
        ASSERT_TRUE(other.Put(id, BytesOf(Content(1, 300000))));
      },
      [&](const ObjectId& id) {
        ASSERT_TRUE(other.Put(id, {}, {.metadata = {{"name", "value"}}}));
      },
      [&](const ObjectId& id) {
        auto writer = other.Create(id, 0);
        ASSERT_TRUE(writer && writer->Seal());
      },
      [&](const ObjectId& id) {
        auto writer = other.Create(id, 10, {.announce = true});
        ASSERT_TRUE(writer);
        std::thread([&] { (void)other.SealByName(id); }).join();
        (void)writer->Seal();  // The mapping stood in the way.
      }};
  int number = 0;
  for (const auto& seal : ways) {
    const ObjectId id = Id("way" + std::to_string(number++));
    std::thread waiting([&] { EXPECT_TRUE(client_.Get(id, Timeout(60000))); });
    EXPECT_TRUE(SomebodyWaits(&other));
    seal(id);
    waiting.join();
  }
}

TEST_F(ClientTest, SpinningForLessThanNothingIsAMistake) {
  ConnectOptions options = store_.Options();
  options.spin = std::chrono::microseconds(-1);
  EXPECT_EQ(CodeOf(Client::Connect(options)), Code::kInvalidArgument);
}

TEST_F(ClientTest, SpinningGetsAndPutsComeToTheSame) {
  ConnectOptions options = store_.Options();
  options.spin = std::chrono::microseconds::max();
  auto spinner = Client::Connect(options);
  ASSERT_TRUE(spinner);
  std::thread waiting([&] { EXPECT_TRUE(spinner->Get(Id("late"), kNever)); });
  ASSERT_TRUE(spinner->Put(Id("early"), BytesOf("x")));
  ASSERT_TRUE(Put("late", "now"));
  waiting.join();
  EXPECT_EQ(CodeOf(spinner->Get(Id("never"), Timeout(10))), Code::kTimeout);
}

TEST_F(ClientTest, ThreadsThatFillAndEvictSeeNoWrongByte) {
  constexpr uint64_t kThreads = 6;
  constexpr size_t kSize = 300000;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < 100; ++i) {
        const uint64_t seed = t * 1000 + i;
        const ObjectId id = Id("object" + std::to_string(seed));
        auto put = client_.Put(id, BytesOf(Content(seed, kSize)));
        ASSERT_TRUE(put) << put.error().ToString();
        const uint64_t other = (seed * 7919) % (kThreads * 1000);
        auto object = client_.Get(Id("object" + std::to_string(other)));
        if (object) {
          ASSERT_TRUE(TextOf(*object) == Content(other, kSize));
        }
        if (i % 10 == 0) {
          ASSERT_TRUE(client_.Evict(kSize * 20));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(ClientTest, NoDescriptorIsInheritable) {
  ASSERT_TRUE(Put("a", Content(1, 200000)));
  auto object = client_.Get(Id("a"));
  auto events = client_.Subscribe();
  auto writer = client_.Create(Id("b"), 100, {.announce = true});
  int of_sockets = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string target = read_symlink(entry.path(), gone);
    if (target.find("socket:") == std::string::npos) continue;
    const int fd = std::stoi(entry.path().filename());
    if (fd <= STDERR_FILENO) continue;
    ++of_sockets;
    EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0) << target;
  }
  EXPECT_GE(of_sockets, 3);
}

TEST_F(ClientTest, NoDescriptorIsLeft) {
  for (int i = 0; i < 20; ++i) {  // Whatever is kept, is there after this.
    ASSERT_TRUE(Put("warm" + std::to_string(i), Content(1, 150000)));
    ASSERT_TRUE(client_.Get(Id("warm" + std::to_string(i))));
  }
  const size_t before = KeptDescriptors();
  for (int i = 0; i < 50; ++i) {
    const std::string id = "object" + std::to_string(i);
    ASSERT_TRUE(Put(id, Content(1, 150000)));
    ASSERT_TRUE(client_.Get(Id(id)));
    { auto dropped = client_.Create(Id("dropped"), 200000); }
    auto events = client_.Subscribe(EventsFrom::kExisting);
    ASSERT_TRUE(events);
  }
  { Client second = store_.Connect(); }
  EXPECT_TRUE(Eventually([&] { return KeptDescriptors() == before; }))
      << KeptDescriptors() << " instead of " << before;
}

}  // namespace
}  // namespace vitrine
