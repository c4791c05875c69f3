// An idle store uses next to no processor, whatever clients are connected and
// wait: no thread of it runs but the housekeeper, twice a second, and the
// catalog's, every two seconds.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "schema/base/sanitizers.h"
#include "tests/support/eventually.h"
#include "tests/system/store_process.h"

namespace vitrine {
namespace {

using std::chrono::milliseconds;

// So long nothing may run: more than one of the housekeeper's rounds.
constexpr milliseconds kPause{700};
constexpr int kTries = 60;
constexpr long kFutexWaitv = 449;

ObjectId Id(const std::string& id) { return *ObjectId::FromText(id); }

std::string FirstWord(const std::string& path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

// Nanoseconds that each thread of `pid` but the housekeeper has run, by its
// number.  Empty: this kernel does not tell.
std::map<std::string, std::string> RunTimes(pid_t pid) {
  std::map<std::string, std::string> times;
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks)) {
    const std::string path = task.path();
    if (FirstWord(path + "/comm") == "housekeeper") continue;
    const std::string time = FirstWord(path + "/schedstat");
    if (time.empty()) return {};
    times[FirstWord(path + "/comm") + " " + path] = time;
  }
  return times;
}

class IdleStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    if (kThreadSanitizer) {
      GTEST_SKIP() << "ThreadSanitizer has a thread that wakes up";
    }
  }

  void Start(bool mount) {
    store_.emplace(StoreProcessOptions{.mount = mount});
    const Status started = store_->Start();
    ASSERT_TRUE(started) << started.error().ToString();
    if (RunTimes(store_->pid()).empty()) {
      GTEST_SKIP() << "the kernel does not tell how long threads ran";
    }
  }

  // Whenever it falls asleep: there is a pause in which nothing runs.
  void ExpectIdle() {
    std::map<std::string, std::string> before;
    std::map<std::string, std::string> after = RunTimes(store_->pid());
    for (int tries = 0; tries < kTries && before != after; ++tries) {
      before = after;
      LetPass(kPause);
      after = RunTimes(store_->pid());
    }
    for (const auto& [thread, time] : after) {
      EXPECT_EQ(time, before[thread]) << thread << " does not sleep";
    }
  }

  std::optional<StoreProcess> store_;
};

TEST_F(IdleStoreTest, WithNobody) {
  ASSERT_NO_FATAL_FAILURE(Start(/*mount=*/false));
  if (!IsSkipped()) ExpectIdle();
}

TEST_F(IdleStoreTest, WithAMount) {
  VITRINE_REQUIRE(WhyNoMount());
  ASSERT_NO_FATAL_FAILURE(Start(/*mount=*/true));
  if (IsSkipped()) return;
  ASSERT_EQ(Shell("echo x > " + store_->unsealed("a") + " && mv " +
                  store_->unsealed("a") + " " + store_->sealed("a")),
            0);
  ExpectIdle();
}

// Connected, with rings, subscribed, and waiting in each way that there is.
TEST_F(IdleStoreTest, WithClientsThatWait) {
  ASSERT_NO_FATAL_FAILURE(Start(/*mount=*/false));
  if (IsSkipped()) return;
  Client client = store_->Connect();
  Client producer = store_->Connect();
  ASSERT_TRUE(client.Put(Id("own"), {}));
  ASSERT_TRUE(producer.PutLater(Id("produced"), {}));
  ASSERT_TRUE(producer.Flush());
  auto events = client.Subscribe(EventsFrom::kExisting);
  ASSERT_TRUE(events);
  std::atomic<pid_t> waiter = 0;
  std::thread one([&] {
    waiter = static_cast<pid_t>(::syscall(SYS_gettid));
    EXPECT_TRUE(client.Get(Id("late"), kNever));
  });
  std::thread many([&] {
    EXPECT_TRUE(client.GetMany(std::vector{Id("late"), Id("own")},
                               {.timeout = kNever}));
  });
  ASSERT_TRUE(
      Eventually([&] { return store_->GetStatus()["server"]["waits"] == 2; }));
  ExpectIdle();
  const std::string schedstat =
      "/proc/self/task/" + std::to_string(waiter) + "/schedstat";
  const std::string ran = FirstWord(schedstat);
  LetPass(kPause);
  ::syscall(kFutexWaitv, nullptr, 0, 0, nullptr, 0);
  if (errno != ENOSYS && errno != EPERM) {
    EXPECT_EQ(FirstWord(schedstat), ran) << "a get that waits wakes up";
  }
  ASSERT_TRUE(producer.Put(Id("late"), {}));
  one.join();
  many.join();
}

}  // namespace
}  // namespace vitrine
