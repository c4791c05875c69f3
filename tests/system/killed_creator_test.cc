// Creators killed at random moments: what they had half-made is gone, and
// nobody else notices.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <optional>
#include <random>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/support/scratch_dir.h"
#include "tests/system/child_process.h"
#include "tests/system/content.h"
#include "tests/system/files.h"
#include "tests/system/store_process.h"
#include "tests/system/worker_process.h"

namespace vitrine {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kNativeRounds = 100;
constexpr int kCopyRounds = 24;
constexpr uint64_t kCopyBytes = 24 << 20;
// What is promised, and what a machine that is busy with other tests may take
// now and then.
constexpr auto kPromised = milliseconds(1000);
constexpr auto kPatience = milliseconds(10'000);
// Threads of the mount and calls under way come and stay.
constexpr size_t kMoreDescriptors = 32;

ObjectId Id(const std::string& id) { return *ObjectId::FromText(id); }

// How long it took until `condition` held; kPatience: it never did.
template <typename Condition>
milliseconds TimeUntil(Condition condition) {
  const auto start = Clock::now();
  if (!Eventually(condition, kPatience)) return kPatience;
  return std::chrono::duration_cast<milliseconds>(Clock::now() - start);
}

class KilledCreatorTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string passthrough = GetParam();
    VITRINE_REQUIRE(passthrough == "on" ? WhyNoPassthrough() : WhyNoMount());
    Status started = store_.Start();
    ASSERT_TRUE(started) << started.error().ToString();
    client_.emplace(store_.Connect());
    (void)store_.GetStatus();
    descriptors_ = store_.OpenDescriptors();
  }

  void TearDown() override {
    if (!client_.has_value() || HasFatalFailure()) return;
    EXPECT_LT(TimeUntil([this] { return UsedBytes() == 0; }), kPatience);
    EXPECT_LT(TimeUntil([this] {
                return store_.OpenDescriptors() <=
                       descriptors_ + kMoreDescriptors;
              }),
              kPatience)
        << store_.OpenDescriptors() << " descriptors, " << descriptors_
        << " before";
    ExpectPromptness();
    EXPECT_EQ(store_.Stop(), 0);
  }

  uint64_t UsedBytes() { return store_.GetStatus()["used_bytes"]; }

  bool IsUnsealed(const std::string& id) {
    auto stat = client_->Stat(Id(id));
    return stat && !stat->sealed;
  }

  bool HasUnsealedOf(pid_t pid) {
    auto list = client_->List(Listed::kUnsealed);
    if (!list) return true;
    return std::any_of(list->begin(), list->end(), [&](const auto& stat) {
      return stat.creator_pid == pid;
    });
  }

  // Waits for `id` as GetMany does; true if it was there.
  std::future<bool> WaitFor(const std::string& id, milliseconds timeout,
                            bool stop_when_gone) {
    return std::async(std::launch::async, [=, this] {
      const std::vector<ObjectId> ids = {Id(id)};
      auto got = client_->GetMany(ids, {.timeout = Timeout(timeout.count()),
                                        .stop_when_gone = stop_when_gone});
      EXPECT_TRUE(got) << got.error().ToString();
      return got && got->front().has_value();
    });
  }

  // Kills a process that has `id` half-made, while others wait for it.
  template <typename Kill>
  void KillAndExpectGone(const std::string& id, Kill kill) {
    auto told = WaitFor(id, 3 * kPatience, true);
    auto patient = WaitFor(id, milliseconds(300), false);
    EXPECT_TRUE(Eventually([&] {
      return store_.GetStatus()["server"]["waits"] == 2 ||
             patient.wait_for(milliseconds(0)) == std::future_status::ready;
    }));
    kill();
    const auto start = Clock::now();
    NoteTime(TimeUntil([&] { return !client_->Stat(Id(id)); }));
    EXPECT_FALSE(told.get());
    EXPECT_LT(Clock::now() - start, kPatience) << "nobody told the waiter";
    EXPECT_FALSE(patient.get());
    EXPECT_FALSE(Exists(store_.unsealed(id)));
  }

  void NoteTime(milliseconds time) {
    EXPECT_LT(time, kPatience) << "it is still there";
    times_.push_back(time);
  }

  void ExpectPromptness() {
    if (times_.empty()) return;
    std::sort(times_.begin(), times_.end());
    EXPECT_LT(times_[times_.size() * 9 / 10], kPromised)
        << "the slowest: " << times_.back().count() << " ms";
  }

  // Whatever it sealed is whole.
  void CheckAndDeleteSealed() {
    auto list = client_->List();
    ASSERT_TRUE(list) << list.error().ToString();
    for (const ObjectStat& stat : *list) {
      if (stat.id.text().rfind("doomed-", 0) != 0) continue;
      auto object = client_->Get(stat.id);
      ASSERT_TRUE(object) << stat.id.text();
      EXPECT_EQ(object->size_bytes(), stat.size_bytes);
      EXPECT_EQ(CheckContent(stat.id.text(), object->bytes()), stat.size_bytes)
          << stat.id.text();
      EXPECT_TRUE(client_->Delete(stat.id));
    }
  }

  StoreProcess store_{{.capacity = "128M", .passthrough = GetParam()}};
  std::optional<Client> client_;
  size_t descriptors_ = 0;
  std::vector<milliseconds> times_;
  std::mt19937_64 random_{20240611};
};

TEST_P(KilledCreatorTest, NativeCreatorsAtRandomMoments) {
  auto bystander = client_->Create(Id("bystander"), 1 << 20);
  ASSERT_TRUE(bystander) << bystander.error().ToString();
  FillContent("bystander", bystander->bytes());
  const uint64_t used = UsedBytes();
  for (int round = 0; round < kNativeRounds; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    WorkerProcess worker("doomed_worker",
                         {store_.socket(), std::to_string(round)});
    const std::string first = "doomed-" + std::to_string(round) + "-0";
    // Every other one dies anywhere: before it connects, too.
    if (round % 2 == 0) {
      ASSERT_LT(TimeUntil([&] { return IsUnsealed(first); }), kPatience);
    }
    // A random moment.
    LetPass(std::chrono::microseconds(random_() % 20'000));
    const pid_t pid = worker.pid();
    ASSERT_TRUE(worker.Running()) << "status " << worker.Wait();
    worker.Kill();
    NoteTime(TimeUntil([&] { return !HasUnsealedOf(pid); }));
    NoteTime(TimeUntil([&] {
      CheckAndDeleteSealed();  // Its ring's last records may be sealed late.
      return UsedBytes() == used || HasFatalFailure();
    }));
    EXPECT_EQ(store_.GetStatus()["objects"]["blanks"], 0);
  }
  Status sealed = bystander->Seal();
  ASSERT_TRUE(sealed) << sealed.error().ToString();
  auto object = client_->Get(Id("bystander"));
  ASSERT_TRUE(object);
  EXPECT_EQ(CheckContent("bystander", object->bytes()), 1u << 20);
  EXPECT_TRUE(client_->Delete(Id("bystander")));
}

TEST_P(KilledCreatorTest, WhoWaitsForANativeObjectIsTold) {
  for (int round = 0; round < 5; ++round) {
    WorkerProcess worker("doomed_worker",
                         {store_.socket(), std::to_string(round)});
    const std::string id = "doomed-" + std::to_string(round) + "-0";
    ASSERT_LT(TimeUntil([&] { return IsUnsealed(id); }), kPatience);
    KillAndExpectGone(id, [&] { worker.Kill(); });
    ASSERT_NO_FATAL_FAILURE(CheckAndDeleteSealed());
  }
}

TEST_P(KilledCreatorTest, WhoWaitsForAFileIsTold) {
  for (const bool mapped : {false, true}) {
    ChildProcess child([&](const auto& parent) {
      const UniqueFd fd(::open(store_.unsealed("a").c_str(),
                               O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
      if (::ftruncate(fd.get(), 4 << 20) != 0) return false;
      auto mapping = Mapping::Map(fd.get(), 4 << 20, PROT_READ | PROT_WRITE);
      if (!mapping) return false;
      const std::span<std::byte> bytes(mapping->data(), 4 << 20);
      if (mapped) FillContent("a", bytes);
      if (!mapped && ::write(fd.get(), "half", 4) != 4) return false;
      parent.Say();
      parent.Await();
      return true;
    });
    ASSERT_TRUE(child.AwaitWord());
    ASSERT_TRUE(IsUnsealed("a"));
    KillAndExpectGone("a", [&] {
      ::kill(child.pid(), SIGKILL);
      EXPECT_FALSE(child.Succeeded());
    });
  }
}

// As dd and shells do: make it, move the descriptor, close the first one.
TEST_P(KilledCreatorTest, AFileThatWasJustMadeIsGoneAsWell) {
  ChildProcess child([&](const auto& parent) {
    UniqueFd fd(::open(store_.unsealed("a").c_str(),
                       O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    const UniqueFd moved(::dup(fd.get()));
    fd = UniqueFd();
    parent.Say();
    parent.Await();
    return moved.valid();
  });
  ASSERT_TRUE(child.AwaitWord());
  ASSERT_TRUE(IsUnsealed("a"));
  KillAndExpectGone("a", [&] {
    ::kill(child.pid(), SIGKILL);
    EXPECT_FALSE(child.Succeeded());
  });
}

// One that was made whole, by a process that was killed afterwards, is no
// half-made object.
TEST_P(KilledCreatorTest, AFileThatWasClosedStays) {
  ChildProcess child([&](const auto& parent) {
    if (WriteContent(store_.unsealed("a"), "a", 1 << 20) != 0) return false;
    const UniqueFd open(::open(store_.unsealed("later").c_str(),
                               O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    if (::write(open.get(), "half", 4) != 4) return false;
    parent.Say();
    parent.Await();
    return true;
  });
  ASSERT_TRUE(child.AwaitWord());
  ::kill(child.pid(), SIGKILL);
  EXPECT_FALSE(child.Succeeded());
  // All that follows from the death has followed.
  NoteTime(TimeUntil([&] { return !Exists(store_.unsealed("later")); }));
  ASSERT_EQ(Rename(store_.unsealed("a"), store_.sealed("a")), 0);
  EXPECT_TRUE(FileHasContent(store_.sealed("a"), "a", 1 << 20));
  EXPECT_EQ(Unlink(store_.sealed("a")), 0);
}

TEST_P(KilledCreatorTest, CopiesAtRandomMoments) {
  const ScratchDir scratch;  // On tmpfs: disks are slow.
  const std::string source = scratch.path() + "/source";
  ASSERT_EQ(WriteContent(source, "source", kCopyBytes), 0);
  int half_made = 0;
  for (int round = 0; round < kCopyRounds; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const std::string copy = store_.unsealed("copy-" + std::to_string(round));
    ChildProcess child([&](const auto&) {
      if (round % 2 == 0) {
        ::execlp("cp", "cp", source.c_str(), copy.c_str(), nullptr);
      } else {
        ::execlp("dd", "dd", ("if=" + source).c_str(), ("of=" + copy).c_str(),
                 "bs=64k", "status=none", nullptr);
      }
      return false;
    });
    ASSERT_LT(TimeUntil([&] { return Exists(copy); }), kPatience);
    // A random moment.
    LetPass(std::chrono::microseconds(random_() % 8000));
    ::kill(child.pid(), SIGKILL);
    if (child.Succeeded()) {  // It was quicker.
      EXPECT_EQ(Unlink(copy), 0);
      continue;
    }
    // It may have closed the file just before.
    const auto start = Clock::now();
    const auto gone = TimeUntil([&] {
      return !Exists(copy) || (Clock::now() - start > 2 * kPromised &&
                               FileHasContent(copy, "source", kCopyBytes));
    });
    EXPECT_LT(gone, kPatience) << "half a file is still there";
    if (Exists(copy)) {
      EXPECT_EQ(Unlink(copy), 0);
    } else {
      times_.push_back(gone);
      ++half_made;
    }
  }
  EXPECT_GT(half_made, kCopyRounds / 10);
}

INSTANTIATE_TEST_SUITE_P(Passthrough, KilledCreatorTest,
                         testing::Values("on", "off"), [](const auto& tested) {
                           return std::string(tested.param);
                         });

}  // namespace
}  // namespace vitrine
