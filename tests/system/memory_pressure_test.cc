// A store in a memory cgroup whose limit is lowered, or where others take
// memory: it evicts before the kernel kills, says so, and serves.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include "schema/base/sanitizers.h"
#include "tests/support/eventually.h"
#include "tests/system/child_process.h"
#include "tests/system/memory_cgroup.h"
#include "tests/system/store_process.h"

namespace vitrine {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kObjectBytes = 3 * kMiB;
constexpr int kObjects = 100;
constexpr uint64_t kLimit = 640 * kMiB;
constexpr uint64_t kLowLimit = 256 * kMiB;

ObjectId Id(int i) { return *ObjectId::FromText("o" + std::to_string(i)); }

class MemoryPressureTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root makes cgroups";
    cgroup_.emplace();
    if (!cgroup_->why_not().empty()) GTEST_SKIP() << cgroup_->why_not();
    ASSERT_TRUE(cgroup_->SetLimit(kLimit));
    ASSERT_TRUE(cgroup_->Enter());
    store_.emplace(StoreProcessOptions{.capacity = "400M", .mount = false});
    const Status started = store_->Start();
    ASSERT_TRUE(cgroup_->Leave());
    ASSERT_TRUE(started) << started.error().ToString();
    Fill();
  }

  void TearDown() override {
    store_.reset();  // Its memory is charged to the cgroup.
    cgroup_.reset();
  }

  void Fill() {
    Client client = store_->Connect();
    for (int i = 0; i < kObjects; ++i) ASSERT_TRUE(Put(client, i));
    ASSERT_FALSE(Pressure()["short"].get<bool>()) << Pressure();
    ASSERT_EQ(Evicted(), 0u);
  }
  static std::vector<std::byte> Content(int i) {
    return std::vector<std::byte>(kObjectBytes, static_cast<std::byte>(i));
  }
  static bool HasContent(std::span<const std::byte> bytes, int i) {
    const auto expected = Content(i);
    return std::equal(bytes.begin(), bytes.end(), expected.begin(),
                      expected.end());
  }
  static bool Put(Client& client, int i) {
    return bool{client.Put(Id(i), Content(i))};
  }
  nlohmann::json Pressure() const { return store_->GetStatus()["pressure"]; }
  uint64_t Evicted() const {
    return store_->GetStatus()["eviction"]["evicted_objects"].get<uint64_t>();
  }
  // In steps that leave the store a little of its reserve.
  void LowerTo(uint64_t bytes) {
    for (uint64_t limit = kLimit; limit > bytes;) {
      const uint64_t next =
          std::max(bytes, std::min(limit, cgroup_->UsedBytes() + 8 * kMiB));
      EXPECT_TRUE(Eventually([&] { return cgroup_->SetLimit(next); }));
      EXPECT_TRUE(Eventually([&] {
        return cgroup_->UsedBytes() + 16 * kMiB < next;
      })) << cgroup_->UsedBytes()
          << " of " << next << ": " << Pressure();
      if (HasFailure()) return;
      limit = next;
    }
  }
  // It gives and takes as ever, and what it gives is right.
  void ExpectServed() {
    Client client = store_->Connect();
    const int id = next_++;
    ASSERT_TRUE(Put(client, id));
    const auto newest = client.Get(Id(id));
    ASSERT_TRUE(newest) << newest.error().ToString();
    EXPECT_TRUE(HasContent(newest->bytes(), id));
    const auto last = client.Get(Id(kObjects - 1), kPoll);
    ASSERT_TRUE(last) << "the youngest is kept: " << last.error().ToString();
    EXPECT_TRUE(HasContent(last->bytes(), kObjects - 1));
    EXPECT_FALSE(client.Get(Id(0), kPoll)) << "the oldest went first";
  }

  int next_ = kObjects;
  std::optional<MemoryCgroup> cgroup_;
  std::optional<StoreProcess> store_;
};

TEST_F(MemoryPressureTest, ALimitThatIsLoweredEvictsAndIsLoweredAgain) {
  LowerTo(kLowLimit);
  const auto pressure = Pressure();
  EXPECT_TRUE(pressure["short"].get<bool>());
  EXPECT_GT(pressure["evicted_objects"].get<uint64_t>(), 20u);
  EXPECT_EQ(pressure["times_short"], 1);
  EXPECT_LT(pressure["limit_bytes"].get<uint64_t>(), kLowLimit);
  EXPECT_EQ(pressure["limited_by"], cgroup_->limit_file());
  EXPECT_NE(pressure["problem"].get<std::string>().find("memory is short"),
            std::string::npos)
      << pressure;
  ExpectServed();
  ASSERT_TRUE(cgroup_->SetLimit(kLimit));
  EXPECT_TRUE(Eventually([&] { return !Pressure()["short"].get<bool>(); }))
      << Pressure();
  EXPECT_EQ(store_->GetStatus()["memory"]["lacking_bytes"], 0);
  ExpectServed();
}

// Takes memory until the test ends it.
ChildProcess::Body TakeMemory(const MemoryCgroup& cgroup, uint64_t bytes) {
  return [&cgroup, bytes](const ChildProcess::Parent& parent) {
    if (!cgroup.Enter()) return false;
    void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return false;
    for (uint64_t at = 0; at < bytes; at += kMiB) {
      std::memset(static_cast<char*>(memory) + at, 'x', kMiB);
      ::usleep(12'000);  // A busy program, not one that wants to be killed.
    }
    parent.Say();
    parent.Await();
    return cgroup.Leave();
  };
}

TEST_F(MemoryPressureTest, WhatOthersTakeIsMadeRoomFor) {
  if (kThreadSanitizer) GTEST_SKIP() << "the sanitizer makes the store slow";
  {
    ChildProcess hog(TakeMemory(*cgroup_, 450 * kMiB));
    ASSERT_TRUE(hog.AwaitWord()) << "the kernel killed it: " << Pressure();
    EXPECT_GT(Evicted(), 20u);
    EXPECT_TRUE(Pressure()["short"].get<bool>());
    ExpectServed();
    hog.Tell();
    EXPECT_TRUE(hog.Succeeded());
  }
  EXPECT_TRUE(Eventually([&] { return !Pressure()["short"].get<bool>(); }))
      << Pressure();
  EXPECT_EQ(store_->Stop(), 0);
}

}  // namespace
}  // namespace vitrine
