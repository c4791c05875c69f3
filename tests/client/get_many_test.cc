#include <gtest/gtest.h>
#include <vitrine/client.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "tests/client/test_store.h"
#include "tests/client/waits.h"
#include "tests/support/asleep.h"

namespace vitrine {
namespace {

using Options = Client::GetManyOptions;

std::vector<ObjectId> Ids(size_t first, size_t count) {
  std::vector<ObjectId> ids;
  for (size_t i = first; i < first + count; ++i) {
    ids.push_back(Id("object" + std::to_string(i)));
  }
  return ids;
}

size_t CountFound(const std::vector<std::optional<Object>>& objects) {
  size_t count = 0;
  for (const auto& object : objects) count += object.has_value() ? 1 : 0;
  return count;
}

class GetManyTest : public testing::Test {
 protected:
  void PutAll(const std::vector<ObjectId>& ids) {
    for (const ObjectId& id : ids) {
      ASSERT_TRUE(client_.Put(id, BytesOf(id.text())));
    }
  }

  TestStore store_;
  Client client_ = store_.Connect();
};

TEST_F(GetManyTest, NeedingMoreThanAskedForIsAMistake) {
  const std::vector<ObjectId> ids = {Id("a"), Id("a")};
  EXPECT_EQ(CodeOf(client_.GetMany(ids, {.need = 2})), Code::kInvalidArgument);
}

TEST_F(GetManyTest, OfNothingThereIsNothing) {
  auto objects = client_.GetMany({}, {.timeout = kNever});
  ASSERT_TRUE(objects);
  EXPECT_TRUE(objects->empty());
}

TEST_F(GetManyTest, DuplicatesAndMissingOnesKeepTheirPlaces) {
  PutAll(Ids(0, 3));
  const std::vector<ObjectId> ids = {Id("object2"), Id("none"), Id("object0"),
                                     Id("object2"), Id("none")};
  auto objects = client_.GetMany(ids, {});
  ASSERT_TRUE(objects);
  ASSERT_EQ(objects->size(), 5u);
  EXPECT_EQ(TextOf(*(*objects)[0]), "object2");
  EXPECT_FALSE((*objects)[1].has_value());
  EXPECT_EQ(TextOf(*(*objects)[2]), "object0");
  EXPECT_EQ(TextOf(*(*objects)[3]), "object2");
  EXPECT_FALSE((*objects)[4].has_value());
}

TEST_F(GetManyTest, ATimeoutGivesWhatThereIs) {
  PutAll(Ids(0, 2));
  const auto start = std::chrono::steady_clock::now();
  auto objects = client_.GetMany(Ids(0, 3), {.timeout = Timeout(100)});
  EXPECT_GE(std::chrono::steady_clock::now() - start,
            std::chrono::milliseconds(100));
  ASSERT_TRUE(objects);
  EXPECT_EQ(CountFound(*objects), 2u);
}

TEST_F(GetManyTest, AnyOfThemWillDo) {
  PutAll(Ids(5, 1));
  auto objects = client_.GetMany(Ids(0, 10), {.timeout = kNever, .need = 1});
  ASSERT_TRUE(objects);
  EXPECT_TRUE((*objects)[5].has_value());
}

TEST_F(GetManyTest, WaitsForAllOfManyChunks) {
  const std::vector<ObjectId> ids = Ids(0, 900);
  std::thread producer([&] { PutAll(ids); });
  auto objects = client_.GetMany(ids, {.timeout = kNever});
  producer.join();
  ASSERT_TRUE(objects) << objects.error().ToString();
  for (size_t i = 0; i < ids.size(); ++i) {
    ASSERT_TRUE((*objects)[i].has_value());
    EXPECT_EQ(TextOf(*(*objects)[i]), ids[i].text());
  }
}

TEST_F(GetManyTest, WaitsForSomeOfManyChunks) {
  const std::vector<ObjectId> ids = Ids(0, 900);
  PutAll(Ids(0, 5));
  std::atomic<bool> done = false;
  ObservedThread getter([&] {
    auto objects = client_.GetMany(ids, {.timeout = kNever, .need = 15});
    ASSERT_TRUE(objects) << objects.error().ToString();
    EXPECT_GE(CountFound(*objects), 15u);
    done = true;
  });
  PutAll(Ids(895, 5));
  EXPECT_TRUE(getter.FallsAsleep());
  EXPECT_FALSE(done);
  PutAll(Ids(400, 5));
  getter.Join();
}

TEST_F(GetManyTest, StopsWhenTheCreatorOfOneDies) {
  std::optional<Client> creator = store_.Connect();
  auto writer = creator->Create(Id("object1"), 10, {.announce = true});
  ASSERT_TRUE(writer);
  std::thread killer([&] {
    EXPECT_TRUE(SomebodyWaits(&*creator));
    creator.reset();
  });
  auto objects =
      client_.GetMany(std::vector{Id("object1")},
                      {.timeout = Timeout(20000), .stop_when_gone = true});
  killer.join();
  ASSERT_TRUE(objects) << objects.error().ToString();
  EXPECT_FALSE((*objects)[0].has_value());
}

TEST_F(GetManyTest, StopsWhenOneOfManyChunksIsGone) {
  std::vector<Writer> writers;
  const std::vector<ObjectId> ids = Ids(0, 600);
  for (const ObjectId& id : ids) {
    auto writer = client_.Create(id, 1, {.announce = true});
    ASSERT_TRUE(writer);
    writers.push_back(std::move(*writer));
  }
  std::thread aborter([&] {
    Client observer = store_.Connect();
    EXPECT_TRUE(SomebodyWaits(&observer));
    EXPECT_TRUE(writers[599].Abort());
  });
  auto objects =
      client_.GetMany(ids, {.timeout = Timeout(60000), .stop_when_gone = true});
  aborter.join();
  ASSERT_TRUE(objects) << objects.error().ToString();
  EXPECT_EQ(CountFound(*objects), 0u);
}

TEST_F(GetManyTest, TheStoresEndEndsTheWait) {
  std::thread killer([&] {
    Client observer = store_.Connect();
    EXPECT_TRUE(SomebodyWaits(&observer));
    store_.Kill();
  });
  auto objects = client_.GetMany(Ids(0, 600), {.timeout = kNever, .need = 3});
  killer.join();
  EXPECT_EQ(CodeOf(objects), Code::kDisconnected);
}

}  // namespace
}  // namespace vitrine
