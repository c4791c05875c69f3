#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "client/tools/json_text.h"

namespace vitrine::tools {
namespace {

ObjectStat MakeStat(const char* id) {
  return {.id = *ObjectId::FromText(id),
          .sealed = true,
          .size_bytes = uint64_t{1} << 40,
          .mode = 0640,
          .tier = "memory"};
}

TEST(JsonTextTest, WhatIsNoObjectOrNestedWithoutEndIsRefused) {
  EXPECT_EQ((*ParseObject(R"({"a":[{"b":1}]})"))["a"][0]["b"], 1);
  for (const std::string& text :
       {std::string("[1]"), std::string("{\"a\":"), std::string(),
        "{\"a\":" + std::string(1'000'000, '[') + std::string(1'000'000, ']') +
            "}"}) {
    const auto parsed = ParseObject(text);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code, Code::kCorruption);
  }
}

TEST(JsonTextTest, AnIdThatIsNoUtf8IsStillExact) {
  const auto json = StatToJson(MakeStat("a\xff"));
  EXPECT_EQ(json["id_hex"], "61ff");
  // Dumping must not throw.
  const auto parsed = nlohmann::json::parse(Dump(json), nullptr, false);
  EXPECT_EQ(parsed["id"], "a\xef\xbf\xbd");
}

TEST(JsonTextTest, AnOrdinaryIdHasNoHex) {
  const auto json = StatToJson(MakeStat("a"));
  EXPECT_FALSE(json.contains("id_hex"));
  EXPECT_EQ(json["mode"], "0640");
  EXPECT_EQ(json["size_bytes"], uint64_t{1} << 40);
}

TEST(JsonTextTest, MetadataOfAnyBytesIsShown) {
  const auto json = MetadataToJson({{"k", "v"}, {"raw", "\xfe"}});
  EXPECT_EQ(json["k"], "v");
  EXPECT_EQ(json["raw_hex"], "fe");
  EXPECT_TRUE(MetadataToJson({}).is_object());
}

TEST(JsonTextTest, EventsWithoutAnIdHaveNone) {
  const auto overflow =
      EventToJson({.kind = EventKind::kOverflow, .id = {}, .time_ns = 7});
  EXPECT_EQ(overflow["event"], "overflow");
  EXPECT_FALSE(overflow.contains("id"));
  const auto sealed = EventToJson({.kind = EventKind::kSealed,
                                   .id = *ObjectId::FromText("x"),
                                   .size_bytes = 3,
                                   .time_ns = 7});
  EXPECT_EQ(Dump(sealed, -1),
            R"({"event":"sealed","id":"x","size_bytes":3,"time_ns":7})");
}

}  // namespace
}  // namespace vitrine::tools
