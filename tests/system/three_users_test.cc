// A store of root's that three users share, one of whom takes all that he can
// get, in every way at once.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/system/store_process.h"
#include "tests/system/worker_process.h"

namespace vitrine {
namespace {

constexpr uid_t kHostile = 54320;
constexpr uid_t kNeighbours[] = {54321, 54322};

// Of each of the three phases.
std::string PhaseSeconds() {
  const char* set = std::getenv("VITRINE_STRESS_SECONDS");
  return std::to_string(std::max(3, set != nullptr ? std::atoi(set) / 3 : 10));
}

std::string WhyNoUsers() {
  if (const std::string why = WhyNotRoot(); !why.empty()) return why;
  WorkerProcess worker("neighbour_worker", {}, kHostile);
  return worker.Wait() == 1
             ? ""
             : "the tests' programs are out of the reach of ordinary users";
}

class ThreeUsersTest : public testing::Test {
 protected:
  void SetUp() override {
    VITRINE_REQUIRE(WhyNoMount());
    VITRINE_REQUIRE(WhyNoUsers());
    Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
    (void)store_.GetStatus();
    descriptors_ = store_.OpenDescriptors();
  }

  WorkerProcess StartNeighbour(uid_t uid, const std::string& phase) {
    return {"neighbour_worker",
            {phase + "-" + std::to_string(uid), store_.socket(), store_.mount(),
             PhaseSeconds()},
            uid};
  }

  std::vector<WorkerProcess> StartAttacks() {
    std::vector<WorkerProcess> attacks;
    for (const char* what : {"connections", "connections", "descriptors",
                             "descriptors", "descriptors", "unsealed", "memory",
                             "holds", "waiters", "garbage", "deaths"}) {
      attacks.push_back(
          {"hostile_worker",
           {what, store_.socket(), store_.mount(), PhaseSeconds()},
           kHostile});
    }
    return attacks;
  }

  void RunNeighbours(const std::string& phase) {
    std::vector<WorkerProcess> neighbours;
    for (const uid_t uid : kNeighbours) {
      neighbours.push_back(StartNeighbour(uid, phase));
    }
    for (WorkerProcess& neighbour : neighbours) {
      EXPECT_EQ(neighbour.Wait(), 0) << phase;
    }
  }

  StoreProcess store_{
      {.capacity = "256M",
       .more = {"--quota=user:*:memory=96M,unsealed=2000,holds=1000"}}};
  size_t descriptors_ = 0;
};

TEST_F(ThreeUsersTest, AHostileOneHarmsNobodyElse) {
  RunNeighbours("alone");
  {
    std::vector<WorkerProcess> attacks = StartAttacks();
    RunNeighbours("beside");
    // Root is let in while it lasts.
    EXPECT_TRUE(store_.Connect("root").GetStatus());
    for (WorkerProcess& attack : attacks) EXPECT_EQ(attack.Wait(), 0);
  }
  RunNeighbours("afterwards");
  // All that the hostile one had is back, but what he sealed and held.
  EXPECT_TRUE(Eventually([this] {
    return store_.OpenDescriptors() <= descriptors_ + 64;
  })) << store_.OpenDescriptors()
      << " descriptors, at first " << descriptors_;
  EXPECT_EQ(store_.Stop(), 0);
}

}  // namespace
}  // namespace vitrine
