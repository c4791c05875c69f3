// A hundred thousand objects through each front end, seen alike by both.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/system/content.h"
#include "tests/system/files.h"
#include "tests/system/store_process.h"

namespace vitrine {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kBytes = 100;
constexpr int kThreads = 2;

int ObjectsPerFrontEnd() {
  const char* set = std::getenv("VITRINE_MANY_OBJECTS");
  return set != nullptr ? std::atoi(set) : 100'000;
}

std::string NativeName(int i) { return "native-" + std::to_string(i); }
std::string FileName(int i) { return "file-" + std::to_string(i); }

class ManyObjectsTest : public testing::Test {
 protected:
  void SetUp() override {
    VITRINE_REQUIRE(WhyNoMount());
    Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
  }

  static bool PutNative(Client& client, int i) {
    std::byte bytes[kBytes];
    FillContent(NativeName(i), bytes);
    return client.Put(*ObjectId::FromText(NativeName(i)), bytes).has_value();
  }
  bool PutFile(int i) const {
    std::byte bytes[kBytes];
    FillContent(FileName(i), bytes);
    UniqueFd fd(::open(store_.unsealed(FileName(i)).c_str(),
                       O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (::write(fd.get(), bytes, kBytes) != kBytes) return false;
    fd = UniqueFd();
    return Rename(store_.unsealed(FileName(i)), store_.sealed(FileName(i))) ==
           0;
  }

  // Runs `put` for all numbers, in several threads.
  template <typename Put>
  void PutAll(const char* what, Put put) {
    const auto start = Clock::now();
    std::vector<std::thread> threads;
    std::vector<int> failed(kThreads, 0);
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = t; i < count_; i += kThreads) {
          failed[static_cast<size_t>(t)] += put(i) ? 0 : 1;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (int t : failed) EXPECT_EQ(t, 0) << what;
    Report(what, Clock::now() - start);
  }

  void Report(const char* what, Clock::duration time) const {
    const auto us =
        std::chrono::duration_cast<std::chrono::microseconds>(time).count();
    std::printf("%s: %.1f s, %.1f us each\n", what,
                static_cast<double>(us) / 1e6,
                static_cast<double>(us) / count_);
  }

  void ReportMemory() const {
    std::ifstream status("/proc/" + std::to_string(store_.pid()) + "/status");
    uint64_t rss_kb = 0;
    for (std::string word; status >> word;) {
      if (word == "RssAnon:") status >> rss_kb;
    }
    const nlohmann::json now = store_.GetStatus();
    const auto each = [&](uint64_t bytes) {
      return static_cast<double>(bytes) / (2.0 * count_);
    };
    std::printf(
        "bytes for each object: index %.0f, journal %.0f, memory %.0f\n",
        each(now["index_bytes"].get<uint64_t>()),
        each(now["journal_bytes"].get<uint64_t>()), each(rss_kb << 10));
  }

  std::set<std::string> Expected() const {
    std::set<std::string> names;
    for (int i = 0; i < count_; ++i) {
      names.insert(NativeName(i));
      names.insert(FileName(i));
    }
    return names;
  }

  std::set<std::string> InDirectory() const {
    std::set<std::string> names;
    const std::string path = store_.mount() + "/sealed";
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()),
                                                  ::closedir);
    if (dir == nullptr) return names;
    while (const dirent* entry = ::readdir(dir.get())) {
      if (entry->d_name[0] == '.') continue;
      EXPECT_TRUE(names.insert(entry->d_name).second)
          << entry->d_name << " comes twice";
    }
    return names;
  }

  static std::set<std::string> InList(Client& client) {
    std::set<std::string> names;
    auto list = client.List();
    EXPECT_TRUE(list) << list.error().ToString();
    if (!list) return names;
    for (const ObjectStat& stat : *list) {
      EXPECT_EQ(stat.size_bytes, kBytes);
      EXPECT_TRUE(names.insert(stat.id.text()).second) << stat.id.text();
    }
    return names;
  }

  std::set<std::string> InCommand() const {
    int exited = -1;
    std::istringstream lines(store_.Run({"ls"}, &exited));
    EXPECT_EQ(exited, 0);
    std::set<std::string> names;
    for (std::string line; std::getline(lines, line);) names.insert(line);
    return names;
  }

  // The catalog is never more than a moment behind.
  uint64_t InCatalog() const {
    uint64_t count = 0;
    Eventually([&] {
      const std::string said =
          store_.Run({"sql", "SELECT count(*) AS n FROM sealed", "--json"});
      const auto rows = nlohmann::json::parse(said, nullptr, false);
      const bool understood = rows.is_array();
      EXPECT_TRUE(understood) << said;
      if (understood) count = rows[0]["n"];
      return !understood || count == 2 * static_cast<uint64_t>(count_);
    });
    return count;
  }

  // Every one is read through the other front end.
  void ReadAllCrosswise(Client& client) const {
    for (int i = 0; i < count_; i += 7) {
      ASSERT_TRUE(
          FileHasContent(store_.sealed(NativeName(i)), NativeName(i), kBytes))
          << i;
      auto object = client.Get(*ObjectId::FromText(FileName(i)));
      ASSERT_TRUE(object) << i << ": " << object.error().ToString();
      ASSERT_EQ(CheckContent(FileName(i), object->bytes()), kBytes) << i;
    }
  }

  void DeleteAll(Client& client) const {
    std::vector<ObjectId> ids;
    for (int i = 0; i < count_; ++i) {
      ids.push_back(*ObjectId::FromText(FileName(i)));
      ids.push_back(*ObjectId::FromText(NativeName(i)));
    }
    auto deleted = client.DeleteMany(ids);
    ASSERT_TRUE(deleted) << deleted.error().ToString();
    for (const Status& each : *deleted) ASSERT_TRUE(each);
  }

  const int count_ = ObjectsPerFrontEnd();
  StoreProcess store_{{.capacity = "1G"}};
};

TEST_F(ManyObjectsTest, AreSeenAlikeByAll) {
  Client client = store_.Connect();
  PutAll("native put", [&](int i) { return PutNative(client, i); });
  PutAll("create, write, close, rename", [&](int i) { return PutFile(i); });
  ReportMemory();
  const std::set<std::string> expected = Expected();
  const auto start = Clock::now();
  EXPECT_TRUE(InDirectory() == expected);
  Report("readdir", Clock::now() - start);
  EXPECT_TRUE(InList(client) == expected);
  EXPECT_TRUE(InCommand() == expected);
  EXPECT_EQ(InCatalog(), expected.size());
  ASSERT_NO_FATAL_FAILURE(ReadAllCrosswise(client));
  ASSERT_NO_FATAL_FAILURE(DeleteAll(client));
  EXPECT_TRUE(InDirectory().empty());
  EXPECT_TRUE(InList(client).empty());
  EXPECT_EQ(store_.GetStatus()["objects"]["sealed"], 0);
  EXPECT_EQ(store_.Stop(), 0);
}

}  // namespace
}  // namespace vitrine
