// A store is killed, something happens to its files or options, and it is
// started again.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "tests/system/content.h"
#include "tests/system/store_process.h"

namespace vitrine {
namespace {

constexpr size_t kSmall = 500;
constexpr size_t kLarge = 20;
constexpr size_t kSmallBytes = 3000;
constexpr size_t kLargeBytes = 256 << 10;

class DamagedStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    store_.emplace(StoreProcessOptions{
        .capacity = "64M", .mount = false, .more = {"--memory-dir", memory()}});
    Start();
    Client client = store_->Connect();
    for (size_t i = 0; i < kSmall; ++i) Put(client, "small", i, kSmallBytes);
    for (size_t i = 0; i < kLarge; ++i) Put(client, "large", i, kLargeBytes);
  }
  ~DamagedStoreTest() override {
    store_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(memory_, ignored);
  }

  static std::string MakeMemory() {
    std::string path = "/dev/shm/vitrine-damaged-XXXXXX";
    EXPECT_NE(::mkdtemp(path.data()), nullptr);
    return path;
  }
  const std::string& memory() const { return memory_; }
  std::string journal() const { return memory_ + "/journal"; }

  void Start() {
    const Status started = store_->Start();
    ASSERT_TRUE(started) << started.error().ToString();
  }
  static std::string Name(const char* kind, size_t i) {
    return kind + std::to_string(i);
  }
  static void Put(Client& client, const char* kind, size_t i, size_t bytes) {
    std::vector<std::byte> content(bytes);
    FillContent(Name(kind, i), content);
    ASSERT_TRUE(client.Put(*ObjectId::FromText(Name(kind, i)), content));
  }
  // How many are there; those that are, are right.
  static size_t CountRight(Client& client, const char* kind, size_t count,
                           size_t bytes) {
    size_t found = 0;
    for (size_t i = 0; i < count; ++i) {
      auto object = client.Get(*ObjectId::FromText(Name(kind, i)),
                               std::chrono::milliseconds(0));
      if (!object) continue;
      ++found;
      EXPECT_EQ(CheckContent(Name(kind, i), object->bytes()), bytes);
    }
    return found;
  }
  size_t CountAllRight() {
    Client client = store_->Connect();
    return CountRight(client, "small", kSmall, kSmallBytes) +
           CountRight(client, "large", kLarge, kLargeBytes);
  }

  std::string Journal() const {
    std::ifstream file(journal(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void SetJournal(const std::string& bytes) const {
    std::ofstream(journal(), std::ios::binary | std::ios::trunc) << bytes;
  }
  bool ReadyLineHas(const std::string& text) const {
    return store_->ready_line().find(text) != std::string::npos;
  }
  nlohmann::json Restart() const { return store_->GetStatus()["restart"]; }
  // A plain start refuses and changes nothing; returns what it says.
  std::string Refusal() {
    const Status started = store_->Start();
    EXPECT_FALSE(started);
    return started ? "" : started.error().message;
  }
  void AddOption(const std::string& option) { store_->AddArguments({option}); }

  const std::string memory_ = MakeMemory();
  std::optional<StoreProcess> store_;
};

TEST_F(DamagedStoreTest, AnUnharmedOneSaysNothing) {
  store_->Kill();
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_FALSE(ReadyLineHas("killed store")) << store_->ready_line();
  EXPECT_EQ(CountAllRight(), kSmall + kLarge);
  EXPECT_EQ(Restart()["restored_objects"], kSmall + kLarge);
  EXPECT_EQ(Restart()["lost_objects"], 0);
}

TEST_F(DamagedStoreTest, AFlippedByteCostsOneRecordAndIsSaid) {
  store_->Kill();
  std::string bytes = Journal();
  bytes[bytes.size() / 2] = static_cast<char>(~bytes[bytes.size() / 2]);
  SetJournal(bytes);
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_TRUE(ReadyLineHas("journal damaged in 1 place"))
      << store_->ready_line();
  const size_t there = CountAllRight();
  EXPECT_LT(there, kSmall + kLarge);
  EXPECT_GE(there, kSmall + kLarge - 256);
  EXPECT_EQ(Restart()["damaged_places"], 1);
  EXPECT_EQ(Restart()["lost_objects"], kSmall + kLarge - there);
  // It is mended.
  store_->Kill();
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_FALSE(ReadyLineHas("killed store")) << store_->ready_line();
  EXPECT_EQ(CountAllRight(), there);
}

TEST_F(DamagedStoreTest, ACutJournalServesWhatIsLeftAndFreesTheRest) {
  store_->Kill();
  const std::string bytes = Journal();
  SetJournal(bytes.substr(0, bytes.size() - 2000));
  ASSERT_NO_FATAL_FAILURE(Start());
  const size_t there = CountAllRight();
  EXPECT_LT(there, kSmall + kLarge);
  EXPECT_GE(there, kSmall);
  EXPECT_TRUE(
      ReadyLineHas(std::to_string(kSmall + kLarge - there) + " objects lost"))
      << store_->ready_line();
  EXPECT_EQ(Restart()["freed_bytes"], (kSmall + kLarge - there) * kLargeBytes);
}

TEST_F(DamagedStoreTest, WithoutItsJournalItStartsOnlyToRecover) {
  store_->Kill();
  for (const bool deleted : {false, true}) {
    if (deleted) {
      std::filesystem::remove(journal());
    } else {
      SetJournal(Journal().substr(0, 4));
    }
    const std::string said = Refusal();
    EXPECT_NE(said.find("520 objects lost"), said.npos) << said;
    EXPECT_NE(said.find("--recover"), said.npos) << said;
  }
  AddOption("--recover");
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_TRUE(ReadyLineHas("520 objects lost")) << store_->ready_line();
  EXPECT_EQ(Restart()["lost_objects"], kSmall + kLarge);
  EXPECT_EQ(store_->GetStatus()["used_bytes"], 0);
  EXPECT_EQ(CountAllRight(), 0u);
}

TEST_F(DamagedStoreTest, AJournalThatIsPutBackLosesNothing) {
  store_->Kill();
  const std::string bytes = Journal();
  SetJournal("");
  EXPECT_NE(Refusal().find("put it back"), std::string::npos);
  SetJournal(bytes);
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_EQ(CountAllRight(), kSmall + kLarge);
}

// Each record in turn: none of them may bring another's bytes to an id.
TEST_F(DamagedStoreTest, ALostRecordNeverGivesAnObjectOthersBytes) {
  {
    Client client = store_->Connect();
    for (const char* kind : {"small", "large"}) {
      for (size_t i = 0; i < 10; ++i) {
        ASSERT_TRUE(client.Delete(*ObjectId::FromText(Name(kind, i))));
      }
      const size_t bytes = kind[0] == 's' ? kSmallBytes : kLargeBytes;
      for (size_t i = 1000; i < 1010; ++i) Put(client, kind, i, bytes);
    }
  }
  store_->Kill();
  std::string bytes = Journal();
  for (size_t place = bytes.size() - 100; place > bytes.size() - 4000;
       place -= 400) {
    bytes[place] = static_cast<char>(~bytes[place]);
  }
  SetJournal(bytes);
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_TRUE(ReadyLineHas("journal damaged")) << store_->ready_line();
  Client client = store_->Connect();
  EXPECT_GE(CountRight(client, "small", 1010, kSmallBytes), kSmall - 20);
  EXPECT_GE(CountRight(client, "large", 1010, kLargeBytes), kLarge - 20);
  // Its segment went with the object.
  EXPECT_EQ(CountRight(client, "large", 10, kLargeBytes), 0u);
}

// --- less capacity ---

TEST_F(DamagedStoreTest, WhatDoesNotFitIsEvictedAndSaid) {
  store_->Kill();
  AddOption("--capacity=5M");
  ASSERT_NO_FATAL_FAILURE(Start());
  const nlohmann::json restart = Restart();
  const size_t there = CountAllRight();
  EXPECT_GT(there, 0u);
  EXPECT_LT(there, kSmall + kLarge);
  EXPECT_EQ(restart["restored_objects"], there);
  EXPECT_EQ(restart["evicted_objects"], kSmall + kLarge - there);
  EXPECT_TRUE(ReadyLineHas(std::to_string(kSmall + kLarge - there) +
                           " objects evicted to fit the capacity"))
      << store_->ready_line();
  EXPECT_LE(store_->GetStatus()["used_bytes"], 5 << 20);
}

TEST_F(DamagedStoreTest, HeldObjectsStayOrTheStartIsRefused) {
  {
    Client client = store_->Connect();
    for (size_t i = 0; i < 8; ++i) {
      ASSERT_TRUE(client.Hold(*ObjectId::FromText(Name("large", i))));
    }
  }
  store_->Kill();
  AddOption("--capacity=1M");
  const std::string said = Refusal();
  EXPECT_NE(said.find("held objects"), said.npos) << said;
  EXPECT_NE(said.find("they need 2.0 MiB"), said.npos) << said;
  AddOption("--capacity=3M");
  ASSERT_NO_FATAL_FAILURE(Start());
  Client client = store_->Connect();
  EXPECT_EQ(CountRight(client, "large", 8, kLargeBytes), 8u);
}

}  // namespace
}  // namespace vitrine
