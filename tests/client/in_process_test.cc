// One program may have a store in its own process and be a client of it: the
// store's types and the library's are different ones.
#include <gtest/gtest.h>
#include <vitrine/client.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "store/server/server.h"
#include "store/store.h"
#include "tests/store/tiers/fake_tier.h"
#include "tests/support/scratch_dir.h"

namespace vitrine {
namespace {

class InProcessTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(dir_.path() + "/memory");
    store::StoreOptions options;
    options.capacity_bytes = 8 << 20;
    options.state_dir = dir_.path() + "/state";
    options.memory_dir = dir_.path() + "/memory";
    options.tier = tier_;
    auto store = store::Store::Open(options);
    ASSERT_TRUE(store) << store.error().ToString();
    store_ = *std::move(store);
    auto server = store::Server::Start(store_.get(), socket(), 0600);
    ASSERT_TRUE(server) << server.error().ToString();
    server_ = *std::move(server);
  }

  std::string socket() const { return dir_.path() + "/socket"; }

  ScratchDir dir_;
  std::shared_ptr<store::FakeTier> tier_ = std::make_shared<store::FakeTier>();
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<store::Server> server_;
};

TEST_F(InProcessTest, WhatTheClientPutsTheStoreHas) {
  auto client = Client::Connect({.socket_path = socket()});
  ASSERT_TRUE(client) << client.error().ToString();
  const ObjectId id = *ObjectId::FromText("shared");
  const std::string text(200'000, 'x');
  ASSERT_TRUE(client->Put(id, std::as_bytes(std::span(text))));

  const Result<store::ObjectRef> found = store_->sealed().FindSealed(id);
  ASSERT_TRUE(found) << found.error().ToString();
  EXPECT_EQ(store_->objects().Info(*found).size_bytes, text.size());
  EXPECT_FALSE(store_->objects().InUse(*found));

  const Result<Object> object = client->Get(id);
  ASSERT_TRUE(object) << object.error().ToString();
  EXPECT_EQ(std::memcmp(object->bytes().data(), text.data(), text.size()), 0);
  EXPECT_TRUE(store_->objects().InUse(*found));
}

std::string Bytes(int i) {
  const size_t size = i % 2 == 0 ? 1'000'000 : 10'000;
  return std::string(size, static_cast<char>('a' + i % 26)) + std::to_string(i);
}

bool Has(const Object& object, const std::string& bytes) {
  return object.bytes().size() == bytes.size() &&
         std::memcmp(object.bytes().data(), bytes.data(), bytes.size()) == 0;
}

TEST_F(InProcessTest, WhatIsElsewhereComesBackForEveryKindOfGet) {
  auto client = Client::Connect({.socket_path = socket()});
  ASSERT_TRUE(client) << client.error().ToString();
  std::vector<ObjectId> ids;
  for (int i = 0; i < 30; ++i) {
    ids.push_back(*ObjectId::FromText("o" + std::to_string(i)));
    const std::string bytes = Bytes(i);
    ASSERT_TRUE(client->Put(ids.back(), std::as_bytes(std::span(bytes))));
  }
  const int gets = tier_->gets();
  for (const ObjectId& id : ids) EXPECT_TRUE(*client->Contains(id));
  EXPECT_EQ(tier_->gets(), gets);  // To know of it is no use of it.
  for (int i = 0; i < 30; ++i) {
    const auto object = client->Get(ids[static_cast<size_t>(i)]);
    ASSERT_TRUE(object) << object.error().ToString();
    EXPECT_TRUE(Has(*object, Bytes(i))) << i;
  }
  EXPECT_GT(tier_->gets(), gets);
  for (size_t first = 0; first < 30; first += 5) {
    const auto objects = client->GetMany(std::span(ids).subspan(first, 5),
                                         {.timeout = std::chrono::seconds(20)});
    ASSERT_TRUE(objects) << objects.error().ToString();
    for (size_t i = 0; i < 5; ++i) {
      const auto& object = (*objects)[i];
      ASSERT_TRUE(object.has_value());
      EXPECT_TRUE(Has(*object, Bytes(static_cast<int>(first + i))));
    }
  }
}

}  // namespace
}  // namespace vitrine
