// A producer killed at every instruction of its write into the submission
// ring, and at many before and after: no object is visible in part, and
// nothing of the producer stays.  It puts a small object, or seals a larger one
// with other blanks in hand.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "schema/base/sanitizers.h"
#include "schema/submission_ring.h"
#include "tests/support/eventually.h"
#include "tests/system/content.h"
#include "tests/system/store_process.h"
#include "tests/system/worker_process.h"

namespace vitrine {
namespace {

// What the worker ends while it is traced.
struct Ended {
  const char* how;
  size_t bytes;
};
std::ostream& operator<<(std::ostream& out, const Ended& ended) {
  return out << ended.how;
}
constexpr size_t kRecordLooked = 512;  // More than the record takes.
// Kills besides those within the write.
constexpr size_t kOtherKills = 150;
constexpr size_t kAround = 12;
constexpr size_t kMostSteps = 200'000;

// A stepped_worker, stopped before its put.
class SteppedWorker {
 public:
  SteppedWorker(const StoreProcess& store, const std::string& id,
                const Ended& ended)
      : process_("stepped_worker",
                 {store.socket(), id, std::to_string(ended.bytes), ended.how}) {
    stopped_ = AwaitStop() == SIGSTOP;
    ring_ = FindRing();
    start_ = Submitted();
  }

  // False: the kernel lets nobody trace, or the worker failed.
  bool stopped() const { return stopped_ && ring_ != 0; }

  // Goes on by one instruction.  False: the put is over.
  bool Step() {
    return ::ptrace(PTRACE_SINGLESTEP, process_.pid(), nullptr, nullptr) == 0 &&
           AwaitStop() == SIGTRAP;
  }

  // What is in the ring where the put writes.
  std::string Ring() const {
    std::string seen(sizeof(uint64_t) + kRecordLooked, '\0');
    const uint64_t record =
        ring_ + offsetof(SubmissionRing, bytes) + start_ % kRingBytes;
    iovec local = {seen.data(), seen.size()};
    std::array<iovec, 2> remote = {
        iovec{reinterpret_cast<void*>(ring_), sizeof(uint64_t)},
        iovec{reinterpret_cast<void*>(record), kRecordLooked}};
    const ssize_t read = ::process_vm_readv(process_.pid(), &local, 1,
                                            remote.data(), remote.size(), 0);
    return read == static_cast<ssize_t>(seen.size()) ? seen : std::string();
  }

 private:
  // The signal that stopped it; 0: it has ended.
  int AwaitStop() const {
    int status = 0;
    while (::waitpid(process_.pid(), &status, WUNTRACED) < 0) {
      if (errno != EINTR) return 0;
    }
    return WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
  }
  uint64_t FindRing() const {
    std::ifstream maps("/proc/" + std::to_string(process_.pid()) + "/maps");
    for (std::string line; std::getline(maps, line);) {
      if (line.find("vitrine-ring") == std::string::npos) continue;
      return std::stoull(line, nullptr, 16);
    }
    return 0;
  }
  uint64_t Submitted() const {
    uint64_t submitted = 0;
    iovec local = {&submitted, sizeof(submitted)};
    iovec remote = {reinterpret_cast<void*>(ring_), sizeof(submitted)};
    (void)::process_vm_readv(process_.pid(), &local, 1, &remote, 1, 0);
    return submitted;
  }

  WorkerProcess process_;  // Killed at destruction.
  bool stopped_ = false;
  uint64_t ring_ = 0;
  uint64_t start_ = 0;
};

class KilledProducerTest : public testing::TestWithParam<Ended> {
 protected:
  void SetUp() override {
    if (kThreadSanitizer || kAddressSanitizer) {
      GTEST_SKIP() << "sanitizers make a put of far more instructions";
    }
    ASSERT_TRUE(store_.Start());
    client_.emplace(store_.Connect());
    ASSERT_TRUE(client_->Put(*ObjectId::FromText("own"), {}));
    before_ = store_.GetStatus();
  }

  // How many instructions a put took, and which of them wrote to the ring.
  struct Course {
    size_t steps = 0;
    std::vector<size_t> writes;
  };
  Course Follow(SteppedWorker* worker) {
    Course course;
    std::string ring = worker->Ring();
    while (worker->Step() && course.steps < kMostSteps) {
      ++course.steps;
      std::string now = worker->Ring();
      if (now != ring) course.writes.push_back(course.steps);
      ring = std::move(now);
    }
    return course;
  }

  static std::set<size_t> WhenToKill(const Course& course) {
    std::set<size_t> when;
    const size_t first = course.writes.front();
    for (size_t step = first > kAround ? first - kAround : 0;
         step <= course.writes.back() + kAround; ++step) {
      when.insert(step);
    }
    const size_t stride = std::max<size_t>(course.steps / kOtherKills, 1);
    for (size_t step = 0; step <= course.steps; step += stride) {
      when.insert(step);
    }
    return when;
  }

  // True: the object is there, and whole.
  bool IsWhole(const std::string& id) {
    auto object = client_->Get(*ObjectId::FromText(id));
    if (!object) {
      EXPECT_EQ(object.error().code, Code::kNotFound) << id;
      return false;
    }
    EXPECT_EQ(object->size_bytes(), GetParam().bytes) << id;
    EXPECT_EQ(CheckContent(id, object->bytes()), GetParam().bytes) << id;
    return true;
  }

  void ExpectNothingLeft() {
    auto all = client_->List();
    ASSERT_TRUE(all);
    for (const ObjectStat& object : *all) {
      if (object.id.text() != "own") {
        EXPECT_TRUE(client_->Delete(object.id));
      }
    }
    EXPECT_TRUE(Eventually([this] {
      return store_.GetStatus()["used_bytes"] <= before_["used_bytes"];
    })) << store_.GetStatus()["used_bytes"];
    EXPECT_TRUE(client_->List(Listed::kUnsealed)->empty());
  }
  // Sessions and rings.  The request for the status has a session as well.
  static std::pair<uint64_t, uint64_t> Clients(const nlohmann::json& status) {
    const auto& server = status["server"];
    return {server["sessions"], server["rings"]["open"]};
  }
  std::pair<uint64_t, uint64_t> Clients() {
    return Clients(store_.GetStatus());
  }

  StoreProcess store_{{.mount = false}};
  std::optional<Client> client_;
  nlohmann::json before_;
};

TEST_P(KilledProducerTest, AtEveryInstructionOfItsWriteNothingIsHalf) {
  Course course;
  {
    SteppedWorker whole(store_, "whole", GetParam());
    if (!whole.stopped()) GTEST_SKIP() << "no process can be traced here";
    course = Follow(&whole);
  }
  ASSERT_LT(course.steps, kMostSteps);
  ASSERT_GE(course.writes.size(), 5U);  // Header, id, data, the end.
  RecordProperty("instructions", static_cast<int>(course.steps));
  RecordProperty("kills", static_cast<int>(WhenToKill(course).size()));
  ASSERT_TRUE(Eventually([this] { return IsWhole("whole"); }));
  size_t kills = 0;
  for (const size_t step : WhenToKill(course)) {
    SteppedWorker worker(store_, "killed-" + std::to_string(step), GetParam());
    ASSERT_TRUE(worker.stopped());
    for (size_t done = 0; done < step && worker.Step(); ++done) {
    }
    ++kills;
  }
  EXPECT_TRUE(Eventually([this] { return Clients() == Clients(before_); }));
  size_t there = 0;
  for (const size_t step : WhenToKill(course)) {
    if (IsWhole("killed-" + std::to_string(step))) ++there;
  }
  EXPECT_GT(there, 0U);
  EXPECT_LT(there, kills);
  ExpectNothingLeft();
}

INSTANTIATE_TEST_SUITE_P(All, KilledProducerTest,
                         testing::Values(Ended{"put", 200},
                                         Ended{"seal", 300'000}),
                         [](const auto& test) {
                           return std::string(test.param.how);
                         });

}  // namespace
}  // namespace vitrine
