// Small objects that are created by steps, against a real store.
#include <gtest/gtest.h>
#include <vitrine/client.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "tests/client/test_store.h"

namespace vitrine {
namespace {

class SmallWriterTest : public testing::Test {
 protected:
  // A writer for `id` that is filled with `text`.
  Writer Filled(const std::string& id, const std::string& text,
                const CreateOptions& options = {}) {
    auto writer = client_.Create(Id(id), text.size(), options);
    if (!writer) throw std::runtime_error(writer.error().ToString());
    std::memcpy(writer->bytes().data(), text.data(), text.size());
    return std::move(*writer);
  }

  TestStore store_;
  Client client_ = store_.Connect();
};

TEST_F(SmallWriterTest, TheStoreLearnsOfItAtItsSeal) {
  Client other = store_.Connect();
  const std::string text = Content(1, 1000);
  Writer writer = Filled("a", text, {.mode = 0604});
  EXPECT_TRUE(other.List(Listed::kUnsealed)->empty());
  EXPECT_EQ(CodeOf(other.Get(Id("a"))), Code::kNotFound);
  ASSERT_TRUE(writer.Seal());
  EXPECT_TRUE(writer.bytes().empty());
  EXPECT_EQ(CodeOf(writer.Seal()), Code::kInvalidArgument);
  EXPECT_EQ(TextOf(*other.Get(Id("a"))), text);
  EXPECT_EQ(other.Stat(Id("a"))->mode, 0604u);
}

TEST_F(SmallWriterTest, ItsBytesAreZerosAtFirst) {
  auto writer = client_.Create(Id("a"), 5000);
  ASSERT_TRUE(writer);
  const auto bytes = writer->bytes();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes.data()) % 64, 0u);
  EXPECT_TRUE(std::all_of(bytes.begin(), bytes.end(),
                          [](std::byte byte) { return byte == std::byte{0}; }));
}

TEST_F(SmallWriterTest, ATakenIdIsToldAtOnceAndARaceAtTheSeal) {
  Writer first = Filled("a", "first");
  Writer second = Filled("a", "second");
  ASSERT_TRUE(first.Seal());
  EXPECT_EQ(CodeOf(second.Seal()), Code::kAlreadyExists);
  EXPECT_EQ(CodeOf(second.Seal()), Code::kInvalidArgument);
  EXPECT_EQ(CodeOf(client_.Create(Id("a"), 1)), Code::kAlreadyExists);
  EXPECT_EQ(TextOf(*client_.Get(Id("a"))), "first");
}

TEST_F(SmallWriterTest, AnAnnouncedIdIsTakenFromOthers) {
  auto announced = client_.Create(Id("a"), 1, {.announce = true});
  ASSERT_TRUE(announced);
  EXPECT_EQ(client_.List(Listed::kUnsealed)->size(), 1u);
  Writer late = Filled("a", "x");
  EXPECT_EQ(CodeOf(late.Seal()), Code::kAlreadyExists);
  EXPECT_TRUE(announced->Seal());
}

TEST_F(SmallWriterTest, AnAbortedOrDroppedOneLeavesNothing) {
  Writer aborted = Filled("a", "x");
  ASSERT_TRUE(aborted.Abort());
  EXPECT_EQ(CodeOf(aborted.Abort()), Code::kInvalidArgument);
  { const Writer dropped = Filled("b", "x"); }
  EXPECT_FALSE(*client_.Contains(Id("a")));
  EXPECT_FALSE(*client_.Contains(Id("b")));
}

TEST_F(SmallWriterTest, ManyAreSealedLater) {
  for (int i = 0; i < 1000; ++i) {
    Writer writer = Filled("object-" + std::to_string(i), Content(1, 100));
    ASSERT_TRUE(writer.SealLater());
    EXPECT_TRUE(writer.bytes().empty());
  }
  Writer again = Filled("fresh", "x");
  ASSERT_TRUE(client_.Put(Id("fresh"), {}));
  ASSERT_TRUE(again.SealLater());
  const auto failed = client_.Flush();
  ASSERT_TRUE(failed);
  ASSERT_EQ(failed->size(), 1u);
  EXPECT_EQ(failed->at(0).id.text(), "fresh");
  EXPECT_EQ(failed->at(0).error.code, Code::kAlreadyExists);
  EXPECT_EQ(client_.List()->size(), 1001u);
}

TEST_F(SmallWriterTest, ALargeOneIsSealedAtOnce) {
  Writer writer = Filled("large", Content(1, 200000));
  ASSERT_TRUE(writer.SealLater());
  EXPECT_TRUE(*client_.Contains(Id("large")));
}

TEST_F(SmallWriterTest, ItSurvivesTheStore) {
  Writer writer = Filled("a", "text");
  store_.Kill();
  store_.Start();
  EXPECT_TRUE(Eventually([&] { return client_.List().has_value(); }));
  ASSERT_TRUE(writer.Seal());
  EXPECT_EQ(TextOf(*client_.Get(Id("a"))), "text");
}

TEST_F(SmallWriterTest, ASealWithoutAStoreMayBeTriedAgain) {
  Writer writer = Filled("a", "text");
  store_.Kill();
  EXPECT_TRUE(Eventually([&] { return !client_.List(); }));
  EXPECT_EQ(CodeOf(writer.Seal()), Code::kDisconnected);
  EXPECT_EQ(writer.bytes().size(), 4u);
  store_.Start();
  EXPECT_TRUE(Eventually([&] { return client_.List().has_value(); }));
  ASSERT_TRUE(writer.Seal());
  EXPECT_EQ(TextOf(*client_.Get(Id("a"))), "text");
}

TEST_F(SmallWriterTest, AnEmptyOneIsAnObject) {
  Writer writer = Filled("empty", "");
  ASSERT_TRUE(writer.Seal());
  EXPECT_EQ(client_.Get(Id("empty"))->size_bytes(), 0u);
}

// Either side of the most metadata that goes into a slab.
TEST_F(SmallWriterTest, MetadataAroundTheLimitIsKept) {
  for (size_t entries = 100; entries < 140; entries += 3) {
    Metadata metadata;
    for (size_t i = 0; i < entries; ++i) metadata["k" + std::to_string(i)];
    const std::string id = std::to_string(entries);
    ASSERT_TRUE(Filled(id, "x", {.metadata = metadata}).Seal()) << entries;
    ASSERT_TRUE(client_.Put(Id("put-" + id), {}, {.metadata = metadata}));
    EXPECT_EQ(*client_.GetMetadata(Id(id)), metadata) << entries;
    EXPECT_EQ(*client_.GetMetadata(Id("put-" + id)), metadata) << entries;
  }
}

TEST_F(SmallWriterTest, ItIsGoneWithItsClient) {
  std::optional<Client> second = store_.Connect();
  auto writer = second->Create(Id("a"), 10);
  ASSERT_TRUE(writer);
  second.reset();
  EXPECT_EQ(CodeOf(writer->Seal()), Code::kGone);
}

TEST_F(SmallWriterTest, WithoutRoomItIsKept) {
  const std::string text = Content(1, 32000);
  const CreateOptions options = {.timeout = Timeout(200)};
  std::vector<Object> held;
  std::optional<Writer> writer;
  for (int i = 0; !writer.has_value(); ++i) {
    const std::string id = std::to_string(i);
    Writer next = Filled(id, text, options);
    const Status sealed = next.Seal();
    if (!sealed) {
      EXPECT_EQ(CodeOf(sealed), Code::kOutOfMemory);
      writer = std::move(next);
    } else {
      held.push_back(*client_.Get(Id(id)));
    }
  }
  EXPECT_EQ(writer->bytes().size(), text.size());
  const std::string id = std::to_string(held.size());
  held.clear();
  EXPECT_TRUE(Eventually([&] { return writer->Seal().has_value(); }));
  EXPECT_EQ(TextOf(*client_.Get(Id(id))), text);
}

// --- metadata ---

TEST_F(SmallWriterTest, MetadataGoesAlong) {
  const Metadata metadata = {{"dtype", "float32"}, {"empty", ""}};
  Writer writer = Filled("a", "text", {.metadata = metadata});
  ASSERT_TRUE(writer.Seal());
  ASSERT_TRUE(client_.Put(Id("b"), {}, {.metadata = metadata}));
  ASSERT_TRUE(client_.PutLater(Id("c"), {}, {.metadata = metadata}));
  ASSERT_TRUE(client_.Flush()->empty());
  ASSERT_TRUE(client_.Put(Id("none"), BytesOf("text")));
  for (const char* id : {"a", "b", "c"}) {
    EXPECT_EQ(*client_.GetMetadata(Id(id)), metadata) << id;
    EXPECT_EQ(*client_.Get(Id(id))->GetMetadata(), metadata) << id;
  }
  EXPECT_TRUE(client_.GetMetadata(Id("none"))->empty());
  EXPECT_TRUE(client_.Get(Id("none"))->GetMetadata()->empty());
}

TEST_F(SmallWriterTest, MetadataOutlivesTheStore) {
  ASSERT_TRUE(client_.Put(Id("a"), {}, {.metadata = {{"key", "value"}}}));
  store_.Kill();
  store_.Start();
  EXPECT_TRUE(Eventually([&] { return client_.List().has_value(); }));
  EXPECT_EQ(*client_.GetMetadata(Id("a")), (Metadata{{"key", "value"}}));
}

TEST_F(SmallWriterTest, MetadataOfAnObjectThatWasReplacedIsGone) {
  ASSERT_TRUE(client_.Put(Id("a"), BytesOf("1"), {.metadata = {{"n", "1"}}}));
  const Object first = *client_.Get(Id("a"));
  ASSERT_TRUE(client_.Delete(Id("a")));
  ASSERT_TRUE(client_.Put(Id("a"), BytesOf("2"), {.metadata = {{"n", "2"}}}));
  EXPECT_EQ(CodeOf(first.GetMetadata()), Code::kNotFound);
  EXPECT_EQ(*client_.Get(Id("a"))->GetMetadata(), (Metadata{{"n", "2"}}));
}

TEST_F(SmallWriterTest, MuchMetadataIsKeptToo) {
  const Metadata much = {{"key", std::string(kMaxMetadataBytes - 3, 'x')}};
  Writer writer = Filled("a", "text", {.metadata = much});
  ASSERT_TRUE(writer.Seal());
  ASSERT_TRUE(client_.Put(Id("b"), BytesOf("text"), {.metadata = much}));
  EXPECT_EQ(*client_.GetMetadata(Id("a")), much);
  EXPECT_EQ(*client_.GetMetadata(Id("b")), much);
}

TEST_F(SmallWriterTest, ABadModeOrBadMetadataIsRefusedAtOnce) {
  EXPECT_EQ(CodeOf(client_.Create(Id("a"), 1, {.mode = 04644})),
            Code::kInvalidArgument);
  EXPECT_EQ(
      CodeOf(client_.Create(Id("a"), 1, {.metadata = {{"vitrine.size", "1"}}})),
      Code::kInvalidArgument);
}

}  // namespace
}  // namespace vitrine
