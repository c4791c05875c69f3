// Readers and writers go on while what they read moves.
#include <gtest/gtest.h>
#include <vitrine/client.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tests/client/test_store.h"
#include "tests/support/eventually.h"

namespace vitrine {
namespace {

constexpr int kObjects = 4000;
constexpr int kKeptOneIn = 16;
constexpr int kRounds = 3;

ObjectId Name(int i) {
  return *ObjectId::FromText("object-" + std::to_string(i));
}

std::string Content(int i) {
  return std::string(700 + static_cast<size_t>(i % 600),
                     static_cast<char>('a' + i % 26));
}

std::string_view Text(const Object& object) {
  const auto bytes = object.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

uint64_t Moved(Client* client) {
  auto status = client->GetStatus();
  if (!status) return 0;
  return nlohmann::json::parse(*status)
      .at("slabs")
      .at("moved_objects")
      .get<uint64_t>();
}

void PutAll(Client* client) {
  for (int i = 0; i < kObjects; ++i) {
    if (i % kKeptOneIn == 0 && *client->Contains(Name(i))) continue;
    const std::string content = Content(i);
    ASSERT_TRUE(client->PutLater(Name(i), std::as_bytes(std::span(content))));
  }
  const auto failed = client->Flush();
  ASSERT_TRUE(failed) << failed.error().ToString();
  EXPECT_TRUE(failed->empty());
}

void DeleteMost(Client* client) {
  for (int i = 0; i < kObjects; ++i) {
    if (i % kKeptOneIn == 0) continue;
    ASSERT_TRUE(client->Delete(Name(i)));
  }
}

TEST(MovingObjectsTest, ReadersNeverNotice) {
  const TestStore store;
  Client client = store.Connect();
  PutAll(&client);
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> gets = 0;
  std::vector<std::jthread> readers;
  for (int reader = 0; reader < 2; ++reader) {
    readers.emplace_back([&, reader] {
      Client own = store.Connect();
      for (int i = reader; !stop; i = (i + 7) % (kObjects / kKeptOneIn)) {
        const int number = i * kKeptOneIn;
        auto object = own.Get(Name(number), kPoll);
        ASSERT_TRUE(object) << number << ": " << object.error().ToString();
        ASSERT_EQ(Text(*object), Content(number));
        ++gets;
      }
    });
  }
  const uint64_t before = Moved(&client);
  for (int round = 0; round < kRounds; ++round) {
    DeleteMost(&client);
    const uint64_t moved = Moved(&client);
    Eventually([&] { return Moved(&client) > moved; }, std::chrono::seconds(2));
    PutAll(&client);
  }
  stop = true;
  readers.clear();
  EXPECT_GT(Moved(&client), before);
  EXPECT_GT(gets, 1000u);
}

TEST(MovingObjectsTest, WhatIsHeldInTheHandStaysAsItIs) {
  const TestStore store;
  Client client = store.Connect();
  PutAll(&client);
  std::vector<Object> in_hand;
  for (int i = 0; i < kObjects; i += kKeptOneIn) {
    auto object = client.Get(Name(i), kPoll);
    ASSERT_TRUE(object);
    in_hand.push_back(*std::move(object));
  }
  DeleteMost(&client);
  // Others than those in hand may have moved before they were deleted.
  const uint64_t moved = Moved(&client);
  // Two of the housekeeper's rounds, of which nothing else tells.
  LetPass(std::chrono::milliseconds(1200));
  EXPECT_EQ(Moved(&client), moved);
  for (size_t i = 0; i < in_hand.size(); ++i) {
    EXPECT_EQ(Text(in_hand[i]), Content(static_cast<int>(i) * kKeptOneIn));
  }
  in_hand.clear();
  EXPECT_TRUE(Eventually([&] { return Moved(&client) > moved; }));
}

}  // namespace
}  // namespace vitrine
