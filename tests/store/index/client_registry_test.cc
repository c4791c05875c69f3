#include "store/index/client_registry.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "store/metrics/status_json.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::store {
namespace {

// A client, with its page mapped as it would map it.
struct FakeClient {
  uint64_t number;
  UniqueFd fd;
  Mapping mapping;

  ClientPage& page() const {
    return *reinterpret_cast<ClientPage*>(mapping.data());
  }
};

class ClientRegistryTest : public testing::Test {
 protected:
  void SetUp() override { descriptors_ = CountDescriptors(); }
  void TearDown() override {
    EXPECT_EQ(CountDescriptors(), descriptors_) << "a descriptor leaked";
  }

  FakeClient Add(const std::string& name = "test", uid_t uid = 34) {
    Result<ClientRegistry::Added> added = registry_.Add(
        {name, 12, uid,
         [this](const std::vector<uint64_t>& list) { recalled_ = list; }});
    EXPECT_TRUE(added) << added.error().ToString();
    Result<Mapping> mapping = Mapping::Map(
        added->page.get(), sizeof(ClientPage), PROT_READ | PROT_WRITE);
    EXPECT_TRUE(mapping);
    return {added->client, std::move(added->page), std::move(*mapping)};
  }
  static void Pin(const FakeClient& client, size_t stripe, uint32_t place,
                  uint64_t pin) {
    PageStripe& pins = client.page().stripes[stripe];
    if (pins.pins_high_water <= place) pins.pins_high_water = place + 1;
    pins.pins[place] = pin;
  }
  static void Touch(const FakeClient& client, size_t stripe, uint32_t slot) {
    PageStripe& ring = client.page().stripes[stripe];
    ring.touches[ring.touch_count % kTouchesPerStripe] = slot;
    ++ring.touch_count;
  }
  std::vector<uint32_t> Drain() {
    std::vector<uint32_t> slots;
    registry_.DrainTouches([&](uint32_t slot) { slots.push_back(slot); });
    return slots;
  }

  ClientRegistry registry_;
  std::vector<uint64_t> recalled_;
  size_t descriptors_ = 0;
};

TEST_F(ClientRegistryTest, WhatClientsWaitForIsTheUnionOfTheirPages) {
  EXPECT_EQ(registry_.AwaitedGroups(), 0U);
  const FakeClient one = Add();
  const FakeClient other = Add();
  one.page().awaited_groups = AwaitedBit(3) | AwaitedBit(64);
  one.page().waiters = 2;
  other.page().awaited_groups = AwaitedBit(63);
  other.page().waiters = UINT32_MAX;  // A lie hurts nobody.
  EXPECT_EQ(registry_.AwaitedGroups(),
            AwaitedBit(0) | AwaitedBit(3) | AwaitedBit(63));
  EXPECT_EQ(registry_.CountWaiters(), uint64_t{UINT32_MAX} + 2);
  registry_.Remove(other.number);
  EXPECT_EQ(registry_.AwaitedGroups(), AwaitedBit(0) | AwaitedBit(3));
  EXPECT_EQ(ToJson(registry_.GetStatus()[0])["waits"], 2);
}

TEST_F(ClientRegistryTest, APageCannotBeTruncatedUnderTheStore) {
  const FakeClient client = Add();
  struct stat info {};
  ASSERT_EQ(::fstat(client.fd.get(), &info), 0);
  EXPECT_GE(static_cast<size_t>(info.st_size), sizeof(ClientPage));
  EXPECT_NE(::ftruncate(client.fd.get(), 0), 0);
  EXPECT_NE(::ftruncate(client.fd.get(), info.st_size + 4096), 0);
  EXPECT_NE(::fcntl(client.fd.get(), F_ADD_SEALS, F_SEAL_WRITE), 0);
  EXPECT_TRUE(registry_.CollectPins().empty());
}

TEST_F(ClientRegistryTest, APageFullOfHolesIsEmpty) {
  const FakeClient client = Add();
  Pin(client, 3, 5, MakePin(1, 1));
  ASSERT_EQ(
      ::fallocate(client.fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  0, sizeof(ClientPage)),
      0);
  EXPECT_TRUE(registry_.CollectPins().empty());
  EXPECT_TRUE(Drain().empty());
}

TEST_F(ClientRegistryTest, APageFullOfOnesIsBounded) {
  const FakeClient client = Add();
  std::memset(client.mapping.data(), 0xff, client.mapping.size_bytes());
  const auto pins = registry_.CollectPins();
  EXPECT_EQ(pins.size(), 1u);
  EXPECT_EQ(pins.count(UINT64_MAX), 1u);
  EXPECT_EQ(Drain().size(), kPageStripes * kTouchesPerStripe);
  EXPECT_EQ(ToJson(registry_.GetStatus().at(0)).at("pins"),
            kPageStripes * kPinsPerStripe);
  EXPECT_EQ(registry_.Recall({1}), 1u);
}

TEST_F(ClientRegistryTest, GarbageIsBounded) {
  const FakeClient client = Add();
  std::mt19937_64 random(3);
  for (int round = 0; round < 20; ++round) {
    for (size_t at = 0; at + 8 <= client.mapping.size_bytes(); at += 8) {
      const uint64_t value = random();
      std::memcpy(client.mapping.data() + at, &value, sizeof(value));
    }
    EXPECT_LE(registry_.CollectPins().size(), kPageStripes * kPinsPerStripe);
    EXPECT_LE(Drain().size(), kPageStripes * kTouchesPerStripe);
    EXPECT_EQ(registry_.GetStatus().size(), 1u);
  }
}

TEST_F(ClientRegistryTest, PinsOfADeadClientAreGone) {
  const FakeClient dead = Add();
  const FakeClient alive = Add();
  Pin(dead, 0, 0, MakePin(1, 1));
  Pin(alive, 15, kPinsPerStripe - 1, MakePin(2, 1));
  EXPECT_EQ(registry_.CollectPins().size(), 2u);
  registry_.Remove(dead.number);
  registry_.Remove(dead.number);
  EXPECT_EQ(registry_.CollectPins(),
            std::unordered_set<uint64_t>{MakePin(2, 1)});
  Pin(dead, 0, 1, MakePin(3, 1));
  EXPECT_EQ(registry_.CollectPins().size(), 1u);
}

TEST_F(ClientRegistryTest, APageThatADeadClientKeepsTakesNoMemory) {
  const FakeClient dead = Add();
  Pin(dead, 0, 0, MakePin(1, 1));
  EXPECT_GT(AllocatedBytes(dead.fd.get()), 0u);
  registry_.Remove(dead.number);
  EXPECT_EQ(AllocatedBytes(dead.fd.get()), 0u);
}

TEST_F(ClientRegistryTest, OnlyWantedPinsAreFound) {
  const FakeClient liar = Add();
  std::memset(liar.mapping.data(), 0xff, liar.mapping.size_bytes());
  const FakeClient client = Add();
  Pin(client, 1, 1, MakePin(1, 1));
  Pin(client, 2, 2, MakePin(2, 1));
  EXPECT_TRUE(registry_.FindPins({}).empty());
  EXPECT_TRUE(registry_.FindPins({MakePin(1, 2)}).empty());
  EXPECT_EQ(registry_.FindPins({MakePin(1, 1), MakePin(3, 1)}),
            std::unordered_set<uint64_t>{MakePin(1, 1)});
}

TEST_F(ClientRegistryTest, TouchesAreDrainedOnce) {
  const FakeClient client = Add();
  Touch(client, 2, 7);
  Touch(client, 2, 8);
  Touch(client, 9, 0);
  EXPECT_EQ(Drain(), (std::vector<uint32_t>{7, 8, 0}));
  EXPECT_TRUE(Drain().empty());
}

TEST_F(ClientRegistryTest, AFullRingKeepsTheLatestTouches) {
  const FakeClient client = Add();
  for (uint32_t slot = 0; slot < 1000; ++slot) Touch(client, 0, slot);
  const std::vector<uint32_t> slots = Drain();
  ASSERT_EQ(slots.size(), kTouchesPerStripe);
  EXPECT_EQ(slots.front(), 1000 - kTouchesPerStripe);
  EXPECT_EQ(slots.back(), 999u);
}

TEST_F(ClientRegistryTest, ACounterThatWrapsLosesNothing) {
  const FakeClient client = Add();
  client.page().stripes[0].touch_count = UINT32_MAX - 1;
  Drain();
  for (uint32_t slot = 20; slot < 25; ++slot) Touch(client, 0, slot);
  EXPECT_EQ(Drain(), (std::vector<uint32_t>{20, 21, 22, 23, 24}));
}

TEST_F(ClientRegistryTest, ACounterThatGoesBackIsBounded) {
  const FakeClient client = Add();
  Touch(client, 0, 1);
  Touch(client, 0, 2);
  Drain();
  client.page().stripes[0].touch_count = 1;
  EXPECT_EQ(Drain().size(), kTouchesPerStripe);
  EXPECT_TRUE(Drain().empty());
}

TEST_F(ClientRegistryTest, TouchesMayBeAnsweredByCallsOfTheRegistry) {
  const FakeClient client = Add();
  Touch(client, 0, 1);
  registry_.DrainTouches([&](uint32_t) { registry_.Remove(client.number); });
  EXPECT_TRUE(registry_.GetStatus().empty());
}

TEST_F(ClientRegistryTest, OnlyWhoKeepsMappingsIsAsked) {
  const FakeClient idle = Add();
  EXPECT_EQ(registry_.Recall({1, 2}), 0u);
  const FakeClient keeper = Add();
  keeper.page().kept_mappings = 3;
  EXPECT_EQ(registry_.Recall({1, 2}), 1u);
  EXPECT_EQ(recalled_, (std::vector<uint64_t>{1, 2}));
}

TEST_F(ClientRegistryTest, StatusSaysWhoIsThere) {
  const FakeClient client = Add("bad \xff name");
  Pin(client, 0, 0, MakePin(1, 1));
  client.page().kept_mappings = 2;
  const std::vector<StatusSection> clients = registry_.GetStatus();
  ASSERT_EQ(clients.size(), 1u);
  nlohmann::json status = ToJson(clients[0]);
  EXPECT_EQ(status["pid"], 12);
  EXPECT_EQ(status["uid"], 34);
  EXPECT_EQ(status["pins"], 1);
  EXPECT_EQ(status["kept_mappings"], 2);
  EXPECT_NE(status.dump().find("name"), std::string::npos);
}

TEST_F(ClientRegistryTest, ClientsComeAndGoWhileOthersLook) {
  std::atomic<bool> stop = false;
  std::thread looker([&] {
    while (!stop) {
      registry_.CollectPins();
      registry_.DrainTouches([](uint32_t) {});
      registry_.Recall({1});
    }
  });
  for (int round = 0; round < 50; ++round) {
    const FakeClient client = Add();
    Pin(client, 0, 0, MakePin(1, 1));
    Touch(client, 0, 1);
    registry_.Remove(client.number);
  }
  stop = true;
  looker.join();
  EXPECT_TRUE(registry_.CollectPins().empty());
}

// Whether somebody else than the owner could have read what was sealed at some
// mark.
TEST_F(ClientRegistryTest, TellsOfClientsOfOtherUsers) {
  constexpr uid_t kOwner = 1001;
  constexpr uid_t kOther = 1002;
  const uint64_t mark = registry_.Departures();
  EXPECT_FALSE(registry_.HadOthers(kOwner, mark));
  const FakeClient root = Add("root", 0);
  const FakeClient self = Add("self", ::geteuid());
  const FakeClient owner = Add("owner", kOwner);
  EXPECT_FALSE(registry_.HadOthers(kOwner, mark));
  EXPECT_TRUE(registry_.HadOthers(kOther, mark));
  const FakeClient other = Add("other", kOther);
  EXPECT_TRUE(registry_.HadOthers(kOwner, mark));
  registry_.Remove(other.number);
  EXPECT_TRUE(registry_.HadOthers(kOwner, mark));
  EXPECT_FALSE(registry_.HadOthers(kOwner, registry_.Departures()));
  EXPECT_TRUE(registry_.HadOthers(kOther, registry_.Departures()));
  // Of many who leave, the owner's do not hide the other one's.
  for (int i = 0; i < 3; ++i) registry_.Remove(Add("owner", kOwner).number);
  registry_.Remove(owner.number);
  EXPECT_TRUE(registry_.HadOthers(kOwner, mark));
  EXPECT_TRUE(registry_.HadOthers(kOther, mark));
}

}  // namespace
}  // namespace vitrine::store
