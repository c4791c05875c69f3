// Four producers beside one that floods a store whose memory is short: requests
// are served first come first served, so each of the four gets what one thread
// of the flood gets.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "tests/system/content.h"
#include "tests/system/store_process.h"

namespace vitrine {
namespace {

constexpr size_t kProducers = 4;
constexpr size_t kFloodThreads = 8;
constexpr size_t kBytes = 512 << 10;
constexpr auto kTime = std::chrono::seconds(3);
// A thread of the flood may get this many times what a producer gets: the
// scheduler has a say, too.
constexpr uint64_t kSlack = 4;

class FairnessTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(store_.Start()); }

  // Puts objects until the end; counts those that were sealed.
  void Produce(Client client, const std::string& name,
               std::atomic<uint64_t>* sealed) {
    std::vector<std::byte> bytes(kBytes);
    for (int i = 0; !over_; ++i) {
      const std::string id = name + "-" + std::to_string(i);
      FillContent(id, bytes);
      const Status put = client.Put(*ObjectId::FromText(id), bytes,
                                    {.timeout = Timeout(60'000)});
      ASSERT_TRUE(put) << put.error().ToString();
      ++*sealed;
    }
  }

  StoreProcess store_{{.capacity = "32M", .mount = false}};
  std::atomic<bool> over_ = false;
};

TEST_F(FairnessTest, AFloodTakesNoMoreThanItsShare) {
  std::array<std::atomic<uint64_t>, kProducers> sealed = {};
  std::array<std::atomic<uint64_t>, kFloodThreads> flood = {};
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kProducers; ++i) {
    threads.emplace_back([&, i, client = store_.Connect("producer")] {
      Produce(client, "producer-" + std::to_string(i), &sealed[i]);
    });
  }
  Client flooder = store_.Connect("flooder");
  for (size_t i = 0; i < kFloodThreads; ++i) {
    threads.emplace_back(
        [&, i] { Produce(flooder, "flood-" + std::to_string(i), &flood[i]); });
  }
  std::this_thread::sleep_for(kTime);
  over_ = true;
  for (std::thread& thread : threads) thread.join();
  const uint64_t least = *std::min_element(sealed.begin(), sealed.end());
  const uint64_t of_a_thread =
      std::accumulate(flood.begin(), flood.end(), uint64_t{0}) / kFloodThreads;
  RecordProperty("least", static_cast<int>(least));
  RecordProperty("of_a_thread", static_cast<int>(of_a_thread));
  EXPECT_GT(least, 0u);
  EXPECT_GE(least * kSlack, of_a_thread);
  EXPECT_GT(store_.GetStatus()["eviction"]["evicted_objects"], 0);
}

}  // namespace
}  // namespace vitrine
