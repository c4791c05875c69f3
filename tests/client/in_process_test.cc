// One program may have a store in its own process and be a client of it: the
// store's types and the library's are different ones.
#include <gtest/gtest.h>
#include <vitrine/client.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "store/server/server.h"
#include "store/store.h"
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
    auto store = store::Store::Open(options);
    ASSERT_TRUE(store) << store.error().ToString();
    store_ = *std::move(store);
    auto server = store::Server::Start(store_.get(), socket(), 0600);
    ASSERT_TRUE(server) << server.error().ToString();
    server_ = *std::move(server);
  }

  std::string socket() const { return dir_.path() + "/socket"; }

  ScratchDir dir_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<store::Server> server_;
};

TEST_F(InProcessTest, WhatTheClientPutsTheStoreHas) {
  auto client = Client::Connect({.socket_path = socket()});
  ASSERT_TRUE(client) << client.error().ToString();
  const ObjectId id = *ObjectId::FromText("shared");
  const std::string text(100'000, 'x');
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

}  // namespace
}  // namespace vitrine
