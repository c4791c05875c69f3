// The store killed at random moments, and started again on the same
// directories, while clients of both front ends work.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>

#include "tests/support/eventually.h"
#include "tests/system/content.h"
#include "tests/system/store_process.h"
#include "tests/system/worker_process.h"

namespace vitrine {
namespace {

constexpr size_t kAnchorBytes = 3 << 20;
constexpr size_t kMakers = 4;  // The other workers read.

int KillRounds() {
  const char* set = std::getenv("VITRINE_KILL_ROUNDS");
  return set != nullptr ? std::atoi(set) : 200;
}

struct Promise {
  uint64_t size_bytes = 0;
  bool hold = false;
  bool maybe_deleted = false;
};

class KilledStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    VITRINE_REQUIRE(WhyNoPassthrough());
    Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
    std::vector<std::byte> anchor(kAnchorBytes);
    FillContent("anchor", anchor);
    Client client = store_.Connect();
    ASSERT_TRUE(client.Put(*ObjectId::FromText("anchor"), anchor));
    ASSERT_TRUE(client.Hold(*ObjectId::FromText("anchor")));
    StartWorkers();
  }

  void StartWorkers() {
    for (const char* role :
         {"native", "put", "mount", "mount", "read-native", "read-mount"}) {
      const std::string number = std::to_string(workers_.size() + 1);
      logs_.push_back(store_.dir() + "/log-" + number);
      workers_.emplace_back(
          "survivor_worker",
          std::vector<std::string>{role, store_.socket(), store_.mount(),
                                   number, logs_.back()});
    }
    for (const std::string& log : {logs_[kMakers], logs_[kMakers + 1]}) {
      ASSERT_TRUE(Eventually([&] { return !Lines(log).empty(); }))
          << "a reader did not start";
    }
  }

  static std::vector<std::string> Lines(const std::string& path) {
    std::ifstream file(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }

  std::map<std::string, Promise> Promises() const {
    std::map<std::string, Promise> promises;
    for (const std::string& log : logs_) {
      for (const std::string& line : Lines(log)) {
        std::istringstream words(line);
        std::string kind, id;
        words >> kind >> id;
        if (kind == "S") words >> promises[id].size_bytes;
        if (kind == "H") promises[id].hold = true;
        if (kind == "D") promises[id].maybe_deleted = true;
      }
    }
    return promises;
  }

  void SignalWorkers(int signal) {
    for (const WorkerProcess& worker : workers_) {
      ASSERT_EQ(::kill(worker.pid(), signal), 0);
    }
  }

  void ExpectAllPromisesKept(Client& client) {
    size_t checked = 0;
    for (const auto& [id, promise] : Promises()) {
      if (promise.maybe_deleted) continue;
      ++checked;
      auto object = client.Get(*ObjectId::FromText(id));
      ASSERT_TRUE(object) << id << ": " << object.error().ToString();
      ASSERT_EQ(object->size_bytes(), promise.size_bytes) << id;
      ASSERT_EQ(CheckContent(id, object->bytes()), promise.size_bytes) << id;
      auto stat = client.Stat(*ObjectId::FromText(id));
      ASSERT_TRUE(stat) << id;
      ASSERT_TRUE(stat->hold || !promise.hold) << id;
      auto metadata = object->GetMetadata();
      ASSERT_TRUE(metadata) << id;
      // Only worker 1 sets some.
      const bool labelled = id.starts_with("s1-");
      ASSERT_EQ(*metadata, labelled ? Metadata({{"id", id}}) : Metadata());
    }
    RecordProperty("objects_checked", static_cast<int>(checked));
  }

  void KillAndRestart() {
    // A random moment.
    LetPass(std::chrono::microseconds(random_() % 60000 + 5000));
    store_.Kill();
    SignalWorkers(SIGSTOP);
    Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
    Client client = store_.Connect();
    auto unsealed = client.List(Listed::kUnsealed);
    ASSERT_TRUE(unsealed);
    ASSERT_TRUE(unsealed->empty()) << "half-made objects are left";
    ASSERT_NO_FATAL_FAILURE(ExpectAllPromisesKept(client));
    SignalWorkers(SIGCONT);
  }

  // They find their way back before the next blow.
  bool AllMakersGoOn() const {
    std::vector<uintmax_t> before;
    for (size_t i = 0; i < kMakers; ++i) before.push_back(LogBytes(i));
    return Eventually([&] {
      for (size_t i = 0; i < kMakers; ++i) {
        if (LogBytes(i) == before[i]) return false;
      }
      return true;
    });
  }
  uintmax_t LogBytes(size_t worker) const {
    return std::filesystem::file_size(logs_[worker]);
  }

  StoreProcess store_{{.capacity = "256M", .passthrough = "on"}};
  std::vector<WorkerProcess> workers_;
  std::vector<std::string> logs_;
  std::mt19937_64 random_{20240607};
};

TEST_F(KilledStoreTest, NothingThatWasSealedIsLost) {
  for (int round = 0; round < KillRounds(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    ASSERT_NO_FATAL_FAILURE(KillAndRestart());
    ASSERT_TRUE(AllMakersGoOn());
  }
  const auto promises = Promises();
  EXPECT_GT(promises.size(), static_cast<size_t>(KillRounds()))
      << "the clients hardly worked";
  // Readers still run: what they hold was never wrong.
  for (const WorkerProcess& worker : workers_) {
    EXPECT_TRUE(worker.Running());
  }
  workers_.clear();

  Client client = store_.Connect();
  auto list = client.List();
  ASSERT_TRUE(list);
  for (const ObjectStat& stat : *list) EXPECT_TRUE(client.Delete(stat.id));
  // Files whose writer was killed between close and rename.
  auto unsealed = client.List(Listed::kUnsealed);
  ASSERT_TRUE(unsealed);
  for (const ObjectStat& stat : *unsealed) (void)client.AbortByName(stat.id);
  EXPECT_TRUE(Eventually([&] { return store_.GetStatus()["used_bytes"] == 0; }))
      << store_.GetStatus().dump(1);
  EXPECT_EQ(store_.Stop(), 0);
}

}  // namespace
}  // namespace vitrine
