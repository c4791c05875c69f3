#include "store/tiers/spill_tier.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "store/metrics/status_json.h"
#include "tests/store/tiers/fault_store.h"
#include "tests/store/tiers/loads.h"
#include "tests/support/eventually.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::store {
namespace {

using Call = FaultStore::Call;
using std::chrono::milliseconds;

constexpr uint64_t kMiB = uint64_t{1} << 20;

class SpillTierTest : public ::testing::Test {
 protected:
  SpillTierTest() { faults_.Reset(); }
  ~SpillTierTest() override {
    faults_.OnCall({});
    tier_.reset();
  }

  Status TryOpen(uint64_t limit_bytes = 0) {
    tier_.reset();
    auto tier = SpillTier::Open({.url = "fault://user:secret@host/x",
                                 .spill_limit_bytes = limit_bytes,
                                 .retries = {.first_pause = milliseconds(1),
                                             .full_pause = milliseconds(0)}});
    if (!tier) return tier.error();
    tier_ = *std::move(tier);
    return Status();
  }
  void Open(uint64_t limit_bytes = 0) {
    const Status opened = TryOpen(limit_bytes);
    ASSERT_TRUE(opened) << opened.error().ToString();
  }
  // Numbers of objects; each has the bytes that follow from its number.
  static std::string BytesOf(uint64_t number, size_t size) {
    return RandomBytes(size, number);
  }
  Status Put(std::initializer_list<uint64_t> numbers, size_t size = 1000) {
    Loads loads;
    for (const uint64_t number : numbers) {
      loads.Add(number, BytesOf(number, size), {{"number", "n"}});
    }
    return tier_->Put(loads.loads());
  }
  // Empty: OK, and the bytes are right.
  std::string Check(uint64_t number, size_t size = 1000) {
    std::string bytes(size, '?');
    const Status got = tier_->Get(InfoOf(number, size),
                                  std::as_writable_bytes(std::span(bytes)));
    if (!got) return got.error().ToString();
    return bytes == BytesOf(number, size) ? "" : "other bytes";
  }
  Code CheckCode(uint64_t number, size_t size = 1000) {
    std::string bytes(size, '?');
    const Status got = tier_->Get(InfoOf(number, size),
                                  std::as_writable_bytes(std::span(bytes)));
    EXPECT_FALSE(got);
    return got ? Code::kInterrupted : got.error().code;
  }
  std::map<uint64_t, Tier::Found> Take() {
    std::map<uint64_t, Tier::Found> found;
    auto taken = tier_->TakeFound();
    EXPECT_TRUE(taken);
    for (Tier::Found& each : *taken) found.emplace(each.info.number, each);
    EXPECT_EQ(found.size(), taken->size());
    return found;
  }
  size_t CountLogs() const {
    const auto all = faults_.values();
    return static_cast<size_t>(std::count_if(
        all.begin(), all.end(),
        [](const auto& value) { return value.first.starts_with("deleted-"); }));
  }
  nlohmann::json status() const { return ToJson(tier_->Sections().front()); }
  uint64_t number_of(const char* name) const {
    return status()[name].get<uint64_t>();
  }

  FaultStore& faults_ = FaultStore::Get();
  std::unique_ptr<SpillTier> tier_;
};

TEST_F(SpillTierTest, SmallObjectsShareAValueAndLargeOnesDoNot) {
  Open();
  Loads loads;
  for (const uint64_t number : {1U, 2U, 3U}) {
    loads.Add(number, BytesOf(number, 1000));
  }
  loads.Add(4, BytesOf(4, 9 * kMiB));
  loads.Add(5, BytesOf(5, 1000));
  loads.Add(6, "");
  ASSERT_TRUE(tier_->Put(loads.loads()));
  EXPECT_EQ(faults_.count(), 3u);
  for (const uint64_t number : {1U, 2U, 3U, 5U}) EXPECT_EQ(Check(number), "");
  EXPECT_EQ(Check(4, 9 * kMiB), "");
  EXPECT_TRUE(tier_->Get(InfoOf(6, 0), {}));
  EXPECT_EQ(CheckCode(7), Code::kNotFound);
}

TEST_F(SpillTierTest, MoreThanOneValueHoldsIsSeveral) {
  Open();
  Loads loads;
  for (uint64_t number = 1; number <= 20; ++number) {
    loads.Add(number, BytesOf(number, 7 * kMiB));
  }
  ASSERT_TRUE(tier_->Put(loads.loads()));
  EXPECT_EQ(faults_.count(), 3u);  // 9, 9 and 2: 64 MiB at most.
  for (const uint64_t number : {1U, 9U, 10U, 20U}) {
    EXPECT_EQ(Check(number, 7 * kMiB), "");
  }
}

TEST_F(SpillTierTest, PuttingAgainWritesNothing) {
  Open();
  ASSERT_TRUE(Put({1, 2}));
  ASSERT_TRUE(Put({1, 2}));
  EXPECT_EQ(faults_.count(), 1u);
  ASSERT_TRUE(Put({1, 2, 3}));
  EXPECT_EQ(faults_.count(), 2u);
}

TEST_F(SpillTierTest, WhatIsForgottenIsDeleted) {
  Open();
  ASSERT_TRUE(Put({1, 2}));
  ASSERT_TRUE(Put({3}));
  tier_->Forget(1);
  tier_->Forget(4711);
  EXPECT_EQ(CheckCode(1), Code::kNotFound);
  EXPECT_EQ(Check(2), "");
  tier_->Forget(2);
  EXPECT_TRUE(Eventually([&] { return faults_.count() == 1; }));
  EXPECT_EQ(Check(3), "");
}

TEST_F(SpillTierTest, TheSpaceOfDeadObjectsComesBack) {
  Open();
  ASSERT_TRUE(Put({1, 2, 3, 4, 5}));
  for (const uint64_t number : {1U, 2U, 4U}) tier_->Forget(number);
  EXPECT_TRUE(Eventually([&] {
    const auto values = faults_.values();
    return faults_.count() == 1 && !values.contains(SpillName(1));
  }));
  EXPECT_EQ(Check(3), "");
  EXPECT_EQ(Check(5), "");
  EXPECT_GE(number_of("copied_bytes"), 2000u);
  EXPECT_EQ(number_of("live_bytes"), 2000u);
  EXPECT_EQ(number_of("objects"), 2u);
  Open();  // The copy has all that was known.
  const auto found = Take();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(Describe(found.at(3).info), Describe(InfoOf(3, 1000)));
  EXPECT_EQ(MetadataOf(found.at(3).metadata), (Metadata{{"number", "n"}}));
}

TEST_F(SpillTierTest, WhatIsForgottenWhileItIsCopiedStaysSo) {
  Open();
  ASSERT_TRUE(Put({1, 2, 3, 4, 5}));
  faults_.OnCall([this](Call call, std::string_view) -> Status {
    if (call == Call::kPut) tier_->Forget(4);
    return {};
  });
  for (const uint64_t number : {1U, 2U, 3U}) tier_->Forget(number);
  EXPECT_TRUE(Eventually([&] { return number_of("copied_bytes") > 0; }));
  EXPECT_EQ(CheckCode(4), Code::kNotFound);
  EXPECT_EQ(number_of("objects"), 1U);
  EXPECT_EQ(number_of("live_bytes"), 1000U);
  EXPECT_EQ(Check(5), "");
}

TEST_F(SpillTierTest, WhatIsCopiedWhileItIsReadIsReadAgain) {
  Open();
  ASSERT_TRUE(Put({1, 2, 3, 4, 5}));
  faults_.OnCall([this, reader = std::this_thread::get_id()](
                     Call call, std::string_view name) -> Status {
    if (call != Call::kGet || name != SpillName(1) ||
        std::this_thread::get_id() != reader) {
      return {};
    }
    for (const uint64_t number : {1U, 2U, 3U}) tier_->Forget(number);
    EXPECT_TRUE(
        Eventually([&] { return !faults_.values().contains(SpillName(1)); }));
    return {};
  });
  EXPECT_EQ(Check(4), "");
  EXPECT_EQ(number_of("failures"), 0U);
  EXPECT_EQ(number_of("damaged_objects"), 0U);
}

TEST_F(SpillTierTest, ALimitIsKept) {
  Open(20'000);
  ASSERT_TRUE(Put({1}));
  const Status put = Put({2, 3, 4}, 6000);
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code, Code::kOutOfMemory);
  EXPECT_NE(put.error().message.find("spill_limit"), std::string::npos);
  EXPECT_EQ(faults_.count(), 1u);
  ASSERT_TRUE(Put({5, 6}, 3000));
  EXPECT_FALSE(Put({7}, 3000));
  tier_->Forget(1);  // Gives 4096 + 1000 back.
  EXPECT_TRUE(Eventually([&] { return faults_.count() == 1; }));
  EXPECT_TRUE(Eventually([&] { return bool(Put({7}, 3000)); }));
}

TEST_F(SpillTierTest, NoFailureTakesOfTheLimit) {
  Open(20'000);
  faults_.OnCall([](Call call, std::string_view) -> Status {
    if (call != Call::kPut) return {};
    return Error{Code::kOutOfMemory, "full"};
  });
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(Put({1}, 6000));
  faults_.OnCall({});
  EXPECT_TRUE(Put({1}, 6000));
  EXPECT_EQ(Check(1, 6000), "");
}

TEST_F(SpillTierTest, AllOfAPutOrNothing) {
  Open();
  std::atomic<int> puts{0};
  faults_.OnCall([&puts](Call call, std::string_view) -> Status {
    if (call != Call::kPut || ++puts < 3) return {};
    return Error{Code::kOutOfMemory, "full"};
  });
  Loads loads;
  for (uint64_t number = 1; number <= 3; ++number) {
    loads.Add(number, BytesOf(number, 9 * kMiB));
  }
  const Status put = tier_->Put(loads.loads());
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code, Code::kOutOfMemory);
  EXPECT_EQ(CheckCode(1, 9 * kMiB), Code::kNotFound);
  EXPECT_TRUE(Eventually([&] { return faults_.count() == 0; }));
}

TEST_F(SpillTierTest, WhatMayPassIsTriedAgain) {
  Open();
  for (const Code code : {Code::kUnavailable, Code::kDisconnected,
                          Code::kTimeout, Code::kIoError, Code::kTooMany}) {
    const auto number = static_cast<uint64_t>(code);
    faults_.FailNext(Call::kPut, 3, code);
    EXPECT_TRUE(Put({number}));
    faults_.FailNext(Call::kGet, 3, code);
    EXPECT_EQ(Check(number), "");
  }
  EXPECT_EQ(number_of("retries"), 30u);
  EXPECT_EQ(number_of("failures"), 0u);
  EXPECT_EQ(status()["state"], "working");
  EXPECT_EQ(status()["last_error"], "too many: told to fail");
}

TEST_F(SpillTierTest, AStoreThatStaysAwayIsAnErrorNotAHang) {
  Open();
  ASSERT_TRUE(Put({1}));
  faults_.OnCall([](Call, std::string_view) -> Status {
    return Error{Code::kDisconnected, "gone away"};
  });
  const Status put = Put({2});
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code, Code::kDisconnected);
  EXPECT_EQ(CheckCode(1), Code::kDisconnected);
  EXPECT_EQ(status()["state"], "failing");
  faults_.OnCall({});
  EXPECT_EQ(Check(1), "");  // By a new connection.
  EXPECT_TRUE(Put({2}));
  EXPECT_EQ(status()["state"], "working");
}

// Neither the error nor the tries may be lost on the way.
TEST_F(SpillTierTest, OneThatIsDownAtTheStartIsAnError) {
  faults_.OnCall([](Call call, std::string_view) -> Status {
    if (call != Call::kConnect) return {};
    return Error{Code::kUnavailable, "nobody there"};
  });
  const Status opened = TryOpen();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kUnavailable);
}

TEST_F(SpillTierTest, DeadValuesAreDeletedOnceTheStoreIsBack) {
  Open();
  ASSERT_TRUE(Put({1}));
  faults_.FailNext(Call::kDelete, 5, Code::kUnavailable);
  tier_->Forget(1);
  EXPECT_TRUE(Eventually([&] { return faults_.count() == 0; }));
}

TEST_F(SpillTierTest, DamagedBytesAreNeverGiven) {
  Open();
  ASSERT_TRUE(Put({1, 2}));
  faults_.Damage(SpillName(1));  // The end of the second object.
  EXPECT_EQ(CheckCode(2), Code::kCorruption);
  EXPECT_EQ(CheckCode(2), Code::kCorruption);
  EXPECT_EQ(Check(1), "");
  EXPECT_EQ(number_of("damaged_objects"), 1u);
  EXPECT_EQ(number_of("damaged_values"), 1u);
  tier_->Forget(1);
  tier_->Forget(2);
  ASSERT_TRUE(Put({3}));
  tier_->Forget(3);
  EXPECT_TRUE(Eventually([&] { return number_of("deleted_values") == 1; }));
  EXPECT_EQ(faults_.count(), 1u);  // Kept for inspection.
}

TEST_F(SpillTierTest, ADamagedCopyIsReplacedByTheNextPut) {
  Open();
  ASSERT_TRUE(Put({1}));
  faults_.Damage(SpillName(1));
  EXPECT_EQ(CheckCode(1), Code::kCorruption);
  ASSERT_TRUE(Put({1}));
  EXPECT_EQ(Check(1), "");
}

TEST_F(SpillTierTest, AValueThatSomebodyRemovedIsCorruption) {
  Open();
  ASSERT_TRUE(Put({1}));
  faults_.Erase(SpillName(1));
  EXPECT_EQ(CheckCode(1), Code::kCorruption);
}

// It finds the damage while it copies what is live.
TEST_F(SpillTierTest, ADamagedObjectIsNotCopiedAsIfItWereSound) {
  Open();
  ASSERT_TRUE(Put({1, 2, 3, 4, 5}));
  faults_.Damage(SpillName(1));
  for (const uint64_t number : {1U, 2U, 3U}) tier_->Forget(number);
  EXPECT_TRUE(Eventually([&] { return number_of("damaged_values") == 1; }));
  EXPECT_TRUE(Eventually([&] { return number_of("copied_bytes") > 0; }));
  EXPECT_EQ(Check(4), "");
  EXPECT_EQ(CheckCode(5), Code::kCorruption);
  EXPECT_TRUE(faults_.values().contains(SpillName(1)));
}

TEST_F(SpillTierTest, AnotherSizeIsCorruption) {
  Open();
  ASSERT_TRUE(Put({1}));
  EXPECT_EQ(CheckCode(1, 999), Code::kCorruption);
}

// --- after a restart ---

TEST_F(SpillTierTest, AllIsFoundAgain) {
  Open();
  ASSERT_TRUE(Put({1, 2, 3}));
  ASSERT_TRUE(Put({4}, 9 * kMiB));
  Open();
  const auto found = Take();
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(Describe(found.at(2).info), Describe(InfoOf(2, 1000)));
  EXPECT_EQ(MetadataOf(found.at(2).metadata), (Metadata{{"number", "n"}}));
  EXPECT_EQ(found.at(2).info.state, ObjectState::kSealed);
  for (const uint64_t number : {1U, 2U, 3U}) EXPECT_EQ(Check(number), "");
  EXPECT_EQ(Check(4, 9 * kMiB), "");
  for (const uint64_t number : {1U, 2U, 3U, 4U}) tier_->Forget(number);
  EXPECT_TRUE(Eventually([&] { return faults_.count() == 0; }));
}

TEST_F(SpillTierTest, NoNameIsUsedTwice) {
  Open();
  ASSERT_TRUE(Put({1}));
  ASSERT_TRUE(Put({2}));
  faults_.Damage(SpillName(1));
  const std::string before = faults_.values().at(SpillName(2));
  Open();
  ASSERT_TRUE(Put({3}));
  EXPECT_EQ(faults_.count(), 3u);
  EXPECT_EQ(faults_.values().at(SpillName(2)), before);
}

TEST_F(SpillTierTest, TheLimitCountsWhatWasFound) {
  Open();
  ASSERT_TRUE(Put({1}, 6000));
  Open(15'000);
  EXPECT_FALSE(Put({2}, 6000));
}

// As after a crash between a copy and the end of what it was copied from.
TEST_F(SpillTierTest, OfTwoCopiesTheNewerOneCounts) {
  faults_.OnCall([](Call call, std::string_view name) -> Status {
    if (call != Call::kDelete || !name.starts_with("spill-")) return {};
    return Error{Code::kNotPermitted, "kept for the test"};
  });
  Open();
  ASSERT_TRUE(Put({1, 2, 3, 4, 5}));
  for (const uint64_t number : {1U, 2U, 3U}) tier_->Forget(number);
  ASSERT_TRUE(Eventually([&] { return faults_.count() == 2; }));
  tier_.reset();
  // So that it would be noticed: the end of object 5.
  faults_.Damage(SpillName(1));
  Open();
  EXPECT_EQ(Take().size(), 2u);
  EXPECT_EQ(number_of("live_bytes"), 2000u);
  for (const uint64_t number : {4U, 5U}) EXPECT_EQ(Check(number), "");
}

TEST_F(SpillTierTest, OfTwoCopiesOneThatIsDamagedDoesNotCount) {
  Open();
  ASSERT_TRUE(Put({1}));
  const std::string value = faults_.values().at(SpillName(1));
  tier_.reset();
  Loads loads;
  loads.Add(1, BytesOf(1, 1000));
  auto newer = SpillValue::Make(9, loads.loads());
  ASSERT_TRUE(newer);
  std::string bytes;
  for (const auto& part : newer->Parts()) {
    bytes.append(reinterpret_cast<const char*>(part.data()), part.size());
  }
  bytes[20] ^= 1;
  faults_.Set(SpillName(9), bytes);
  Open();
  EXPECT_EQ(Take().size(), 1u);
  EXPECT_EQ(Check(1), "");
  EXPECT_EQ(number_of("damaged_values"), 1u);
  EXPECT_EQ(faults_.count(), 2u);
}

TEST_F(SpillTierTest, DamagedAndForeignValuesStay) {
  Open();
  ASSERT_TRUE(Put({1}));
  const std::string value = faults_.values().at(SpillName(1));
  faults_.Set(SpillName(2), value.substr(0, value.size() / 2));
  faults_.Set(SpillName(3), "");
  faults_.Set(SpillName(4), std::string(100'000, '\0'));
  faults_.Set(SpillName(5), value);  // Under another's name.
  faults_.Set("readme", "not ours");
  Open();
  EXPECT_EQ(Take().size(), 1u);
  EXPECT_EQ(number_of("damaged_values"), 4u);
  EXPECT_EQ(Check(1), "");
  tier_->Forget(1);
  EXPECT_TRUE(Eventually([&] { return faults_.count() == 5; }));
}

// --- all at once ---

TEST_F(SpillTierTest, ThreadsPutGetAndForget) {
  Open();
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([this, thread] {
      std::minstd_rand random(static_cast<uint32_t>(thread));
      for (uint64_t round = 0; round < 30; ++round) {
        const uint64_t first = 1 + 1000 * thread + 10 * round;
        Loads loads;
        for (uint64_t number = first; number < first + 10; ++number) {
          loads.Add(number, BytesOf(number, 1000));
        }
        ASSERT_TRUE(tier_->Put(loads.loads()));
        for (uint64_t number = first; number < first + 10; ++number) {
          EXPECT_EQ(Check(number), "");
          if (random() % 4 != 0) tier_->Forget(number);
        }
        const uint64_t before = 1 + 1000 * thread + random() % (10 * round + 1);
        const std::string got = Check(before);
        EXPECT_TRUE(got.empty() || got.starts_with("not found")) << got;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const uint64_t objects = number_of("objects");
  EXPECT_EQ(number_of("live_bytes"), 1000 * objects);
  EXPECT_EQ(number_of("damaged_objects"), 0u);
  Open();
  EXPECT_GE(Take().size(), objects);
}

TEST_F(SpillTierTest, StatusTellsNoSecrets) {
  Open();
  ASSERT_TRUE(Put({1}));
  EXPECT_EQ(status()["url"], "fault://host/x");
  EXPECT_EQ(number_of("puts"), 1u);
  EXPECT_EQ(number_of("values"), 1u);
  EXPECT_GT(number_of("put_rate"), 0u);
}

TEST_F(SpillTierTest, ADirectoryServesAsWell) {
  const ScratchDir scratch("/var/tmp");
  const SpillTier::Options options{.url =
                                       "file://" + scratch.path() + "/spill"};
  for (int round = 0; round < 2; ++round) {
    tier_.reset();
    auto tier = SpillTier::Open(options);
    ASSERT_TRUE(tier) << tier.error().ToString();
    tier_ = *std::move(tier);
    if (round == 0) {
      ASSERT_TRUE(Put({1, 2}));
      ASSERT_TRUE(Put({3}, 20 * kMiB));
    }
    EXPECT_EQ(Check(1), "");
    EXPECT_EQ(Check(3, 20 * kMiB), "");
  }
  EXPECT_EQ(Take().size(), 3u);
}

// --- what only the external store knows when the host restarts ---

TEST_F(SpillTierTest, ItKeepsItsIdentity) {
  Open();
  const auto identities = tier_->identities();
  ASSERT_EQ(identities.size(), 1u);
  EXPECT_NE(identities[0], 0u);
  ASSERT_TRUE(Put({1}));
  Open();
  EXPECT_EQ(tier_->identities(), identities);
  EXPECT_EQ(Take().at(1).identity, identities[0]);
  tier_.reset();
  faults_.Damage("identity");
  const Status refused = TryOpen();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kCorruption);
  faults_.Reset();
  Open();
  EXPECT_NE(tier_->identities(), identities);
}

TEST_F(SpillTierTest, WhatWasDeletedOfAValueThatLivesOnStaysDeleted) {
  Open();
  ASSERT_TRUE(Put({1, 2, 3, 4, 5}));
  tier_->Forget(2);
  for (int restart = 0; restart < 3; ++restart) {
    Open();
    const auto found = Take();
    EXPECT_EQ(found.size(), 4u);
    EXPECT_FALSE(found.contains(2));
    EXPECT_EQ(CheckCode(2), Code::kNotFound);
    EXPECT_EQ(Check(1), "");
  }
}

// The host dies: nothing more is written.
TEST_F(SpillTierTest, ADeletionIsSoonInTheLog) {
  Open();
  ASSERT_TRUE(Put({1, 2, 3, 4, 5}));
  tier_->Forget(2);
  EXPECT_TRUE(Eventually([&] { return CountLogs() == 1; }));
  const auto then = faults_.values();
  tier_.reset();
  faults_.Reset();
  for (const auto& [name, value] : then) faults_.Set(name, value);
  Open();
  EXPECT_FALSE(Take().contains(2));
}

TEST_F(SpillTierTest, LogsAreFewAndGoWithTheirValues) {
  Open();
  Loads loads;
  for (uint64_t number = 1; number <= 200; ++number) {
    loads.Add(number, BytesOf(number, 1000), {});
  }
  ASSERT_TRUE(tier_->Put(loads.loads()));
  for (uint64_t number = 1; number <= 60; ++number) {
    tier_->Forget(number);
    EXPECT_TRUE(
        Eventually([&] { return number_of("logged_deletions") == number; }));
  }
  EXPECT_LE(CountLogs(), 17u);
  Open();
  EXPECT_EQ(CountLogs(), 1u);
  EXPECT_EQ(Take().size(), 140u);
  for (uint64_t number = 1; number <= 200; ++number) tier_->Forget(number);
  Open();
  EXPECT_EQ(faults_.count(), 0u);
  EXPECT_EQ(CountLogs(), 0u);
}

TEST_F(SpillTierTest, ADamagedLogIsSaidAndTheRestIsThere) {
  Open();
  ASSERT_TRUE(Put({1, 2, 3, 4, 5}));
  tier_->Forget(2);
  Open();
  for (const auto& [name, value] : faults_.values()) {
    if (name.starts_with("deleted-")) faults_.Damage(name);
  }
  Open();
  EXPECT_EQ(Take().size(), 5u);
}

TEST_F(SpillTierTest, AnEndDeletesAllThatIsDead) {
  Open();
  for (uint64_t number = 1; number <= 600; ++number) {
    ASSERT_TRUE(Put({number}, 10));
  }
  for (uint64_t number = 1; number <= 600; ++number) tier_->Forget(number);
  tier_.reset();
  EXPECT_EQ(faults_.count(), 0u);
}

TEST_F(SpillTierTest, AFullStoreCanBeEmptied) {
  Open();
  ASSERT_TRUE(Put({1, 2, 3, 4, 5}));
  faults_.OnCall([](Call call, std::string_view) -> Status {
    if (call != Call::kPut) return {};
    return Error{Code::kOutOfMemory, "no space left on device"};
  });
  tier_->Forget(1);
  for (const uint64_t number : {2U, 3U, 4U, 5U}) tier_->Forget(number);
  EXPECT_TRUE(Eventually([&] { return faults_.count() == 0; }));
}

TEST_F(SpillTierTest, ACopyThatIsDamagedIsNoCopy) {
  Open();
  ASSERT_TRUE(Put({1}));
  EXPECT_TRUE(tier_->Has(1));
  EXPECT_FALSE(tier_->Has(2));
  faults_.Damage(SpillName(1));
  EXPECT_EQ(CheckCode(1), Code::kCorruption);
  EXPECT_FALSE(tier_->Has(1));
  ASSERT_TRUE(Put({1}));
  EXPECT_TRUE(tier_->Has(1));
  EXPECT_EQ(Check(1), "");
}

TEST_F(SpillTierTest, NumbersAreKnownThoughTheirObjectsAreGone) {
  Open();
  ASSERT_TRUE(Put({1, 2, 900}));
  tier_->Forget(900);
  Open();
  EXPECT_EQ(tier_->highest_number(), 900u);
}

TEST_F(SpillTierTest, AHeadThatCannotBeReadNowEndsTheStart) {
  Open();
  ASSERT_TRUE(Put({1}));
  tier_.reset();
  faults_.OnCall([](Call call, std::string_view name) -> Status {
    if (call != Call::kGet || !name.starts_with("spill-")) return {};
    return Error{Code::kIoError, "input/output error"};
  });
  const Status failed = TryOpen();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kIoError);
  faults_.OnCall({});
  Open();
  EXPECT_EQ(Check(1), "");
}

TEST_F(SpillTierTest, AnEndThatFailsSaysSo) {
  Open();
  ASSERT_TRUE(Put({1}));
  faults_.OnCall([](Call call, std::string_view) -> Status {
    if (call != Call::kDelete) return {};
    return Error{Code::kNotPermitted, "read-only"};
  });
  tier_->Forget(1);
  EXPECT_FALSE(tier_->End());
}

}  // namespace
}  // namespace vitrine::store
