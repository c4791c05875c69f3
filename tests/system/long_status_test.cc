// A status that is longer than a message of the socket comes whole, wherever
// it is asked for.
#include <gtest/gtest.h>
#include <vitrine/client.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "schema/base/unique_fd.h"
#include "tests/system/raw_peer.h"
#include "tests/system/store_process.h"

namespace vitrine {
namespace {

using Json = nlohmann::json;

constexpr size_t kSessions = 700;

std::set<std::string> Keys(const Json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.insert(key);
  return keys;
}

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

class LongStatusTest : public testing::Test {
 protected:
  void SetUp() override {
    VITRINE_REQUIRE(WhyNoMount());
    const Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
    sections_ = Keys(store_.GetStatus());
    ASSERT_TRUE(sections_.contains("mount"));
    for (size_t i = 0; i < kSessions; ++i) ASSERT_TRUE(Join()) << i;
  }

  // One more client, whose name is as long in JSON as a name can be.
  bool Join() {
    auto socket =
        ConnectPacketSocket(store_.socket(), std::chrono::seconds(20));
    if (!socket) return false;
    protocol::HelloT hello;
    hello.version = kProtocolVersion;
    hello.role = protocol::Role::kSession;
    hello.name = std::string(64, '"');
    if (!SendPacket(socket->get(), MakePacket(std::move(hello)), {},
                    PacketWait::kWait)) {
      return false;
    }
    const auto greeting =
        ReceiveBytes(socket->get(), buffer_, PacketWait::kWait);
    sockets_.push_back(*std::move(socket));
    return greeting && greeting->has_value();
  }

  void ExpectWhole(const std::string& text) const {
    EXPECT_GT(text.size(), kMaxMessageBytes);
    const Json status = Json::parse(text, nullptr, false);
    ASSERT_TRUE(status.is_object()) << text.substr(0, 1000);
    EXPECT_EQ(Keys(status), sections_);
    EXPECT_GE(status["clients"].size(), kSessions);
  }

  StoreProcess store_{{}};
  std::set<std::string> sections_;
  std::vector<UniqueFd> sockets_;
  std::vector<uint8_t> buffer_ = std::vector<uint8_t>(kMaxMessageBytes);
};

TEST_F(LongStatusTest, EveryWayToAskShowsAllOfIt) {
  auto text = store_.Connect().GetStatus();
  ASSERT_TRUE(text) << text.error().ToString();
  ExpectWhole(*text);
  ExpectWhole(store_.Run({"status", "--json"}));
  ExpectWhole(ReadWhole(store_.mount() + "/.vitrine/status"));
  const std::string people = store_.Run({"status"});
  for (const char* part : {"\ncatalog", "\nclients", "\nmount", "\nserver"}) {
    EXPECT_NE(people.find(part), std::string::npos) << part;
  }
}

}  // namespace
}  // namespace vitrine
