// Many processes at once, through both front ends, on a store that is too
// small for what they make.
#include <gtest/gtest.h>
#include <sys/statvfs.h>

#include <cstdlib>

#include "tests/support/eventually.h"
#include "tests/system/store_process.h"
#include "tests/system/worker_process.h"

namespace vitrine {
namespace {

// From 1 byte on, as many of each order of magnitude.
constexpr uint64_t kMaxObjectBytes = 64 << 20;
// Each of libfuse's threads keeps a pipe for splicing; a leak would show in
// the hundreds.
constexpr size_t kDescriptorsOfThreads = 40;

std::string StressSeconds() {
  const char* set = std::getenv("VITRINE_STRESS_SECONDS");
  return set != nullptr ? set : "60";
}

class StressTest : public testing::TestWithParam<const char*> {
 protected:
  static void RunWorkers(const StoreProcess& store) {
    const std::vector<std::string> roles = {
        "create-native", "create-native", "create-mount",  "create-mount",
        "put-many",      "put-many",      "read-native",   "read-native",
        "read-mount",    "read-mount",    "delete-native", "delete-mount",
        "evict",         "hold"};
    std::vector<WorkerProcess> workers;
    for (size_t i = 0; i < roles.size(); ++i) {
      workers.emplace_back(
          "stress_worker",
          std::vector<std::string>{roles[i], store.socket(), store.mount(),
                                   std::to_string(i + 1), StressSeconds(),
                                   std::to_string(kMaxObjectBytes)});
    }
    for (size_t i = 0; i < roles.size(); ++i) {
      EXPECT_EQ(workers[i].Wait(), 0) << roles[i];
    }
  }

  static void ExpectNothingLeft(const StoreProcess& store,
                                size_t descriptors_before) {
    Client client = store.Connect();
    nlohmann::json status;
    EXPECT_TRUE(Eventually([&] {
      EXPECT_TRUE(client.Evict(UINT64_MAX));
      status = store.GetStatus();
      return status["used_bytes"] == 0;
    })) << status.dump(1);
    EXPECT_EQ(status["objects"]["sealed"], 0);
    EXPECT_EQ(status["objects"]["unsealed"], 0);
    EXPECT_EQ(status["objects"]["deleted_in_use"], 0);
    EXPECT_GT(status["eviction"]["evicted_objects"], 0);
    EXPECT_LE(store.OpenDescriptors(),
              descriptors_before + kDescriptorsOfThreads);

    // The kernel agrees: only index, journal and spare segments are left.
    struct statvfs memory;
    const std::string dir = status["memory"]["directory"];
    ASSERT_EQ(::statvfs(dir.c_str(), &memory), 0);
    const uint64_t used = (memory.f_blocks - memory.f_bfree) * memory.f_frsize;
    EXPECT_LE(used, status["index_bytes"].get<uint64_t>() +
                        status["journal_bytes"].get<uint64_t>() +
                        status["pool"]["bytes"].get<uint64_t>() + (8 << 20));
  }
};

TEST_P(StressTest, NoWrongByteNothingLostNothingLeaked) {
  const std::string passthrough = GetParam();
  VITRINE_REQUIRE(passthrough == "on" ? WhyNoPassthrough() : WhyNoMount());
  StoreProcess store({.capacity = "256M", .passthrough = passthrough});
  Status started = store.Start();
  ASSERT_TRUE(started) << started.error().ToString();
  (void)store.GetStatus();
  const size_t descriptors_before = store.OpenDescriptors();
  RunWorkers(store);
  ExpectNothingLeft(store, descriptors_before);
  EXPECT_EQ(store.Stop(), 0);
}

INSTANTIATE_TEST_SUITE_P(Passthrough, StressTest, testing::Values("on", "off"),
                         [](const auto& tested) {
                           return std::string(tested.param);
                         });

}  // namespace
}  // namespace vitrine
