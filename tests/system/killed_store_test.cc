// The store and its clients of both front ends, killed at random moments while
// they work; the store is started again on the same directories.
//
// After each round all that clients were promised is there, whole and as they
// made it, and no memory is taken that no object needs.  So it is with memory
// for all of them, and with less, in a store that spills.  VITRINE_KILL_ROUNDS
// sets how many rounds there are, VITRINE_KILL_SEED which moments and victims
// are drawn; a failure says the seed.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <list>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "tests/support/eventually.h"
#include "tests/system/content.h"
#include "tests/system/store_process.h"
#include "tests/system/worker_process.h"

namespace vitrine {
namespace {

namespace fs = std::filesystem;

constexpr size_t kAnchorBytes = 3 << 20;
constexpr uint64_t kPageBytes = 4096;

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* set = std::getenv(name);
  return set != nullptr ? std::stoull(set) : otherwise;
}

// What a client was told of an object.
struct Promise {
  uint64_t size_bytes = 0;
  bool sealed = false;
  bool hold = false;
  bool maybe_deleted = false;
};
using Promises = std::map<std::string, Promise>;

// A survivor_worker, and what its log says that is not read yet.
class Survivor {
 public:
  Survivor(const StoreProcess& store, std::string role, const std::string& name,
           uint64_t seed)
      : role_(std::move(role)),
        name_(name),
        log_(store.dir() + "/log-" + name),
        process_("survivor_worker", {role_, store.socket(), store.mount(), name,
                                     log_, std::to_string(seed)}) {}

  const std::string& role() const { return role_; }
  bool is_maker() const { return !role_.starts_with("read-"); }
  bool Made(const std::string& id) const { return id.starts_with(name_ + "-"); }
  WorkerProcess& process() { return process_; }
  uintmax_t LogBytes() const {
    std::error_code none;
    const uintmax_t size = fs::file_size(log_, none);
    return none ? 0 : size;
  }

  void AddPromises(Promises* promises) {
    std::ifstream file(log_);
    file.seekg(read_bytes_);
    for (std::string line; std::getline(file, line);) {
      read_bytes_ += static_cast<std::streamoff>(line.size()) + 1;
      std::istringstream words(line);
      std::string kind, id;
      words >> kind >> id;
      if (kind == "R") continue;
      Promise& promise = (*promises)[id];
      if (kind == "S") {
        promise.sealed = true;
        words >> promise.size_bytes;
      }
      if (kind == "H") promise.hold = true;
      if (kind == "D") promise.maybe_deleted = true;
    }
  }

 private:
  const std::string role_;
  const std::string name_;
  const std::string log_;
  std::streamoff read_bytes_ = 0;
  WorkerProcess process_;
};

// Memory for all that the workers have at a time, or for half of it.
enum class Memory : uint8_t { kAmple, kShort };

class KilledStoreTest : public testing::TestWithParam<Memory> {
 protected:
  static bool spills() { return GetParam() == Memory::kShort; }

  void SetUp() override {
    VITRINE_REQUIRE(WhyNoPassthrough());
    if (spills()) store_.AddArguments({"--spill", spill_dir()});
    Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
    std::vector<std::byte> anchor(kAnchorBytes);
    FillContent("anchor", anchor);
    Client client = store_.Connect();
    ASSERT_TRUE(client.Put(*ObjectId::FromText("anchor"), anchor));
    ASSERT_TRUE(client.Hold(*ObjectId::FromText("anchor")));
    for (const char* role :
         {"native", "put", "mount", "mount", "read-native", "read-mount"}) {
      StartWorker(role);
    }
    ASSERT_TRUE(Eventually([this] {
      return std::all_of(
          workers_.begin(), workers_.end(),
          [](const Survivor& worker) { return worker.LogBytes() > 0; });
    })) << "a worker did not start";
  }

  void StartWorker(const std::string& role) {
    // Of the role, so that the id tells what the object must be like.
    const std::string name = role + std::to_string(++started_);
    workers_.emplace_back(store_, role, name, random_());
  }

  void SignalWorkers(int signal) {
    for (Survivor& worker : workers_) {
      ASSERT_EQ(::kill(worker.process().pid(), signal), 0);
    }
  }

  // --- who is killed, and when ---

  void KillSome() {
    const uint64_t what = random_() % 4;
    const bool store = what != 0;
    const bool clients = what < 2;
    LetPass(std::chrono::microseconds(random_() % 60000 + 5000));
    if (store) store_.Kill();
    if (store && clients) {
      LetPass(std::chrono::microseconds(random_() % 2000));
    }
    if (clients) KillMakers();
    SignalWorkers(SIGSTOP);
    if (!store) return;
    Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
    EXPECT_EQ(store_.GetStatus()["restart"]["lost_objects"], 0);
    auto unsealed = store_.Connect().List(Listed::kUnsealed);
    ASSERT_TRUE(unsealed);
    EXPECT_TRUE(unsealed->empty()) << "half-made objects are left";
  }

  // One of them at least.
  void KillMakers() {
    std::vector<std::list<Survivor>::iterator> makers;
    for (auto worker = workers_.begin(); worker != workers_.end(); ++worker) {
      if (worker->is_maker()) makers.push_back(worker);
    }
    std::shuffle(makers.begin(), makers.end(), random_);
    makers.resize(1 + random_() % makers.size());
    for (const auto& maker : makers) {
      maker->process().Kill();
      maker->AddPromises(&promises_);
      dead_.splice(dead_.end(), workers_, maker);
    }
  }

  // --- what must hold, while all workers are stopped ---

  void ExpectAllKept() {
    for (Survivor& worker : workers_) worker.AddPromises(&promises_);
    Client client = store_.Connect();
    seen_elsewhere_ +=
        store_.GetStatus()["objects"]["elsewhere"].get<uint64_t>();
    ASSERT_TRUE(Eventually([&] { return EndUnsealed(client); }))
        << "half-made objects of the dead are left";
    for (auto promise = promises_.begin(); promise != promises_.end();) {
      bool gone = false;
      ASSERT_NO_FATAL_FAILURE(
          gone = !ExpectKept(client, promise->first, promise->second));
      promise = gone ? promises_.erase(promise) : std::next(promise);
    }
    ASSERT_NO_FATAL_FAILURE(ExpectNothingElse(client));
    ASSERT_TRUE(Eventually([this] { return MemoryIsAccountedFor(); }))
        << store_.GetStatus().dump(1) << SegmentFiles() << " files";
  }

  // True: the dead have left no unsealed object.  Those of a native client that
  // was killed go by themselves; a file whose writer was killed between close
  // and rename stays until somebody removes it, and that is us.
  bool EndUnsealed(Client& client) {
    auto unsealed = client.List(Listed::kUnsealed);
    if (!unsealed) return false;
    for (const ObjectStat& stat : *unsealed) {
      if (stat.id.text().starts_with("mount") && IsOfTheDead(stat.id.text())) {
        (void)client.AbortByName(stat.id);
      }
    }
    return std::all_of(unsealed->begin(), unsealed->end(),
                       [this](const ObjectStat& stat) {
                         return !IsOfTheDead(stat.id.text());
                       });
  }
  bool IsOfTheDead(const std::string& id) const {
    return std::any_of(
        dead_.begin(), dead_.end(),
        [&id](const Survivor& worker) { return worker.Made(id); });
  }

  // False: it is deleted, as its maker wanted.
  bool ExpectKept(Client& client, const std::string& id,
                  const Promise& promise) {
    if (!promise.sealed) return true;
    auto object = client.Get(*ObjectId::FromText(id));
    if (!object && promise.maybe_deleted) {
      EXPECT_EQ(object.error().code, Code::kNotFound) << id;
      return false;
    }
    ++checked_;
    EXPECT_TRUE(object) << id << ": " << object.error().ToString();
    if (object) ExpectAsMade(client, id, promise, *object);
    return true;
  }
  static void ExpectAsMade(Client& client, const std::string& id,
                           const Promise& promise, const Object& object) {
    ASSERT_EQ(object.size_bytes(), promise.size_bytes) << id;
    ASSERT_EQ(CheckContent(id, object.bytes()), promise.size_bytes) << id;
    auto stat = client.Stat(*ObjectId::FromText(id));
    ASSERT_TRUE(stat) << id;
    ASSERT_TRUE(stat->hold || !promise.hold) << id;
    auto metadata = object.GetMetadata();
    ASSERT_TRUE(metadata) << id;
    const bool labelled = id.starts_with("native");
    ASSERT_EQ(*metadata, labelled ? Metadata({{"id", id}}) : Metadata()) << id;
  }

  // Objects that nobody was told of are whole as well.  They are deleted, as
  // are those of the dead; those of the living only once it is sure that these
  // do not know of them.
  void ExpectNothingElse(Client& client) {
    auto list = client.List();
    ASSERT_TRUE(list);
    std::set<std::string> unknown;
    for (const ObjectStat& stat : *list) {
      const std::string& id = stat.id.text();
      const bool known = id == "anchor" || promises_.contains(id);
      if (!known) {
        auto object = client.Get(stat.id);
        ASSERT_TRUE(object) << id;
        ASSERT_EQ(CheckContent(id, object->bytes()), stat.size_bytes) << id;
      }
      if (IsOfTheDead(id) || (!known && unknown_.contains(id))) {
        ASSERT_TRUE(client.Delete(stat.id)) << id;
        promises_.erase(id);
      } else if (!known) {
        unknown.insert(id);
      }
    }
    unknown_ = std::move(unknown);
  }

  // Each segment is a slab or an object's own, and no other memory is charged.
  bool MemoryIsAccountedFor() {
    const auto status = store_.GetStatus();
    const auto& objects = status["objects"];
    const auto& slabs = status["slabs"];
    const uint64_t own = objects["sealed"].get<uint64_t>() -
                         objects["elsewhere"].get<uint64_t>() +
                         objects["unsealed"].get<uint64_t>() +
                         objects["blanks"].get<uint64_t>() -
                         slabs["objects"].get<uint64_t>();
    const uint64_t most_bytes = objects["sealed_bytes"].get<uint64_t>() +
                                objects["unsealed_bytes"].get<uint64_t>() +
                                objects["blank_bytes"].get<uint64_t>() +
                                // Which are not whole pages.
                                objects["blanks"].get<uint64_t>() * kPageBytes +
                                slabs["bytes"].get<uint64_t>();
    return objects["deleted_in_use"] == 0 &&
           SegmentFiles() == own + slabs["count"].get<uint64_t>() &&
           status["used_bytes"].get<uint64_t>() <= most_bytes;
  }
  std::string spill_dir() const { return store_.dir() + "/spill"; }
  size_t SpillFiles() const {
    size_t files = 0;
    for (const auto& file : fs::directory_iterator(spill_dir())) {
      files += file.path().filename().string().starts_with("spill-") ? 1 : 0;
    }
    return files;
  }
  size_t SegmentFiles() const {
    size_t files = 0;
    for ([[maybe_unused]] const auto& file :
         fs::directory_iterator(store_.state_dir() + "/memory/segments")) {
      ++files;
    }
    return files;
  }

  // --- between the rounds ---

  void GoOn() {
    for (const Survivor& dead : dead_) StartWorker(dead.role());
    dead_.clear();
    SignalWorkers(SIGCONT);
    ASSERT_TRUE(AllMakersGoOn());
  }
  // They find their way back before the next blow.
  bool AllMakersGoOn() const {
    std::map<const Survivor*, uintmax_t> before;
    for (const Survivor& worker : workers_) {
      if (worker.is_maker()) before[&worker] = worker.LogBytes();
    }
    return Eventually([&] {
      return std::all_of(before.begin(), before.end(), [](const auto& entry) {
        return entry.first->LogBytes() > entry.second;
      });
    });
  }

  void ExpectReadersWereContent() {
    for (Survivor& worker : workers_) {
      EXPECT_TRUE(worker.process().Running()) << worker.role();
    }
  }

  void ExpectAllCanBeGivenBack() {
    workers_.clear();
    Client client = store_.Connect();
    EXPECT_TRUE(Eventually([&] {
      RemoveAll(client);
      return store_.GetStatus()["used_bytes"] == 0 && SegmentFiles() == 0;
    })) << store_.GetStatus().dump(1);
    EXPECT_EQ(store_.Stop(), 0);
    EXPECT_FALSE(fs::exists(store_.state_dir() + "/memory/segments"));
    if (spills()) {
      EXPECT_EQ(SpillFiles(), 0u);
    }
  }
  // What a killed client has submitted may still be sealed meanwhile.
  static void RemoveAll(Client& client) {
    auto list = client.List();
    ASSERT_TRUE(list);
    for (const ObjectStat& stat : *list) (void)client.Delete(stat.id);
    auto unsealed = client.List(Listed::kUnsealed);
    ASSERT_TRUE(unsealed);
    for (const ObjectStat& stat : *unsealed) (void)client.AbortByName(stat.id);
  }

  const uint64_t seed_ =
      FromEnvironment("VITRINE_KILL_SEED", std::random_device()());
  std::mt19937_64 random_{seed_};
  StoreProcess store_{
      {.capacity = spills() ? "10M" : "256M", .passthrough = "on"}};
  std::list<Survivor> workers_;
  std::list<Survivor> dead_;  // Killed in this round.
  uint64_t started_ = 0;
  Promises promises_;
  std::set<std::string> unknown_;  // Objects that nobody spoke of so far.
  uint64_t checked_ = 0;
  uint64_t seen_elsewhere_ = 0;
};

TEST_P(KilledStoreTest, NothingThatWasSealedIsLost) {
  SCOPED_TRACE("VITRINE_KILL_SEED=" + std::to_string(seed_));
  std::cout << "VITRINE_KILL_SEED=" << seed_ << std::endl;
  const uint64_t rounds = FromEnvironment("VITRINE_KILL_ROUNDS", 100);
  for (uint64_t round = 0; round < rounds; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    ASSERT_NO_FATAL_FAILURE(KillSome());
    ASSERT_NO_FATAL_FAILURE(ExpectAllKept());
    ASSERT_FALSE(HasFailure());
    ASSERT_NO_FATAL_FAILURE(GoOn());
  }
  EXPECT_GT(checked_, rounds) << "the clients hardly worked";
  RecordProperty("objects_checked", std::to_string(checked_));
  std::cout << checked_ << " objects checked, " << seen_elsewhere_
            << " were elsewhere\n";
  EXPECT_EQ(seen_elsewhere_ > rounds, spills());
  ExpectReadersWereContent();
  ExpectAllCanBeGivenBack();
}

INSTANTIATE_TEST_SUITE_P(Memory, KilledStoreTest,
                         testing::Values(Memory::kAmple, Memory::kShort),
                         [](const auto& memory) {
                           return memory.param == Memory::kAmple ? "Ample"
                                                                 : "Short";
                         });

}  // namespace
}  // namespace vitrine
