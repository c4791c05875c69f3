// Requests that wait for memory: interrupted, unmounted, answered once.
#include "fusefs/kernel/deferred_reply.h"

#include <signal.h>

#include "store/accounts/accounts.h"
#include "tests/fusefs/held_up_store.h"
#include "tests/fusefs/mounted_store.h"

namespace vitrine::fusefs {
namespace {

// Without passthrough, where every write comes to the store.
class DeferredReplyTest : public MountedStore {
 protected:
  void SetUp() override {
    ASSERT_TRUE(StartStore(64 << 20));
    held_up_ = std::make_unique<HeldUpStore>(store_.get());
    auto mount =
        Mount::Start(held_up_.get(), {mount_dir_.path(), Switch::kOff, {}});
    if (!mount) GTEST_SKIP() << mount.error().ToString();
    mount_ = *std::move(mount);
  }
  void TearDown() override {
    mount_.reset();
    if (held_up_) held_up_->LetGo();  // Nobody is there to take it: no harm.
    held_up_.reset();
    MountedStore::TearDown();
  }
  bool AwaitWaiting(size_t count) {
    return Eventually([&] { return held_up_->waiting() == count; });
  }

  std::string FileOf(size_t number) const {
    return Unsealed("file" + std::to_string(number));
  }
  uint64_t Used(store::Resource resource) const {
    return store_->facts().accounts().Used(
        {store::Party::Kind::kUser, ::geteuid()}, resource);
  }
  uint64_t UsedMemory() const { return Used(store::Resource::kMemory); }
  uint64_t Waits() const { return Used(store::Resource::kWaiters); }
  void Limit(store::Resource resource, uint64_t limit) {
    store_->facts().accounts().SetQuota({.kind = store::Party::Kind::kUser,
                                         .id = ::geteuid(),
                                         .limits = {{resource, limit}}});
  }

  std::unique_ptr<HeldUpStore> held_up_;
};

TEST_F(DeferredReplyTest, InterruptedWriteWritesNothing) {
  ASSERT_TRUE(WriteFile(Unsealed("a"), "before"));
  held_up_->HoldUp();
  const pid_t child = StartChild([this] {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGUSR1, &action, nullptr);
    const int fd = ::open(Unsealed("a").c_str(), O_WRONLY);
    CHILD_EXPECT(::write(fd, "AFTER!", 6) == -1 && errno == EINTR);
  });
  ASSERT_TRUE(AwaitWaiting(1));
  ::kill(child, SIGUSR1);
  EXPECT_TRUE(ChildSucceeded(child));
  held_up_->LetGo();
  EXPECT_EQ(ReadFile(Unsealed("a")), "before");
}

// Else interrupts would let a user leave as much there as he likes.
TEST_F(DeferredReplyTest, WhatWaitsIsChargedUntilTheStoreAnswers) {
  const uint64_t before = UsedMemory();
  ASSERT_TRUE(WriteFile(Unsealed("a"), ""));
  const uint64_t with_file = UsedMemory();
  const std::string bytes = Pattern(100'000);
  held_up_->HoldUp();
  const pid_t child = StartChild([&] {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGUSR1, &action, nullptr);
    const int fd = ::open(Unsealed("a").c_str(), O_WRONLY);
    CHILD_EXPECT(::write(fd, bytes.data(), bytes.size()) == -1 &&
                 errno == EINTR);
  });
  ASSERT_TRUE(AwaitWaiting(1));
  EXPECT_TRUE(
      Eventually([&] { return UsedMemory() == with_file + bytes.size(); }));
  ::kill(child, SIGUSR1);
  EXPECT_TRUE(ChildSucceeded(child));
  EXPECT_EQ(UsedMemory(), with_file + bytes.size());
  held_up_->LetGo();
  ASSERT_EQ(::unlink(Unsealed("a").c_str()), 0);
  EXPECT_TRUE(Eventually([&] { return UsedMemory() == before; }));
}

TEST_F(DeferredReplyTest, WhatMayNotWaitIsRefused) {
  ASSERT_TRUE(WriteFile(Unsealed("a"), ""));
  held_up_->HoldUp();
  Limit(store::Resource::kMemory, UsedMemory() + 50'000);
  const std::string bytes = Pattern(100'000);
  const UniqueFd fd(::open(Unsealed("a").c_str(), O_WRONLY));
  EXPECT_EQ(ErrnoOf(::write(fd.get(), bytes.data(), bytes.size())), EDQUOT);
}

TEST_F(DeferredReplyTest, WhatTheStoreHasYetToAnswerIsAWait) {
  held_up_->HoldUp();
  const std::vector<std::function<bool(int fd)>> calls = {
      [](int fd) { return ::write(fd, "x", 1) == 1; },
      [](int fd) { return ::ftruncate(fd, 100'000) == 0; },
      [](int fd) { return ::fallocate(fd, 0, 0, 100'000) == 0; }};
  std::vector<pid_t> children;
  for (const auto& call : calls) {
    ASSERT_TRUE(WriteFile(FileOf(children.size()), ""));
    children.push_back(StartChild([&] {
      const int fd = ::open(FileOf(children.size()).c_str(), O_WRONLY);
      CHILD_EXPECT(call(fd));
    }));
    ASSERT_TRUE(AwaitWaiting(children.size()));
    EXPECT_TRUE(Eventually([&] { return Waits() == children.size(); }));
  }
  for (const pid_t child : children) {
    ::kill(child, SIGKILL);
    EXPECT_FALSE(ChildSucceeded(child));
  }
  EXPECT_EQ(Waits(), children.size());
  held_up_->LetGo();
  EXPECT_TRUE(Eventually([&] { return Waits() == 0; }));
}

TEST_F(DeferredReplyTest, AWaitTooManyIsRefused) {
  ASSERT_TRUE(WriteFile(Unsealed("a"), ""));
  held_up_->HoldUp();
  Limit(store::Resource::kWaiters, 0);
  const UniqueFd fd(::open(Unsealed("a").c_str(), O_WRONLY));
  EXPECT_EQ(ErrnoOf(::write(fd.get(), "x", 1)), EDQUOT);
  EXPECT_EQ(ErrnoOf(::ftruncate(fd.get(), 100'000)), EDQUOT);
  EXPECT_EQ(ErrnoOf(::fallocate(fd.get(), 0, 0, 100'000)), EDQUOT);
}

TEST_F(DeferredReplyTest, KilledWriterDoesNotWaitForMemory) {
  ASSERT_TRUE(WriteFile(Unsealed("a"), "x"));
  held_up_->HoldUp();
  const pid_t child = StartChild([this] {
    const int fd = ::open(Unsealed("a").c_str(), O_WRONLY);
    CHILD_EXPECT(::write(fd, "AFTER!", 6) == 6);
  });
  ASSERT_TRUE(AwaitWaiting(1));
  ::kill(child, SIGKILL);
  EXPECT_FALSE(ChildSucceeded(child));
  EXPECT_EQ(MountStatus()["parked_requests"], 0);
}

TEST_F(DeferredReplyTest, InterruptedTruncateIsToldSo) {
  ASSERT_TRUE(WriteFile(Unsealed("a"), "x"));
  held_up_->HoldUp();
  const pid_t child = StartChild([this] {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGUSR1, &action, nullptr);
    CHILD_EXPECT(::truncate(Unsealed("a").c_str(), 100'000) == -1 &&
                 errno == EINTR);
  });
  ASSERT_TRUE(AwaitWaiting(1));
  ::kill(child, SIGUSR1);
  EXPECT_TRUE(ChildSucceeded(child));
}

// Invariant (1) of FileSystem.
TEST_F(DeferredReplyTest, ManyWritersWaitWithoutHoldingUpOthers) {
  Put("sealed", "sealed");
  held_up_->HoldUp();
  std::vector<pid_t> children;
  const std::string bytes = Pattern(300'000);
  for (int i = 0; i < 40; ++i) {
    children.push_back(StartChild([this, i, &bytes] {
      CHILD_EXPECT(WriteFile(Unsealed("n" + std::to_string(i)), bytes,
                             O_WRONLY | O_CREAT | O_EXCL));
    }));
  }
  ASSERT_TRUE(AwaitWaiting(40));
  EXPECT_EQ(ReadFile(Sealed("sealed")), "sealed");
  EXPECT_EQ(::unlink(Sealed("sealed").c_str()), 0);
  held_up_->LetGo();
  for (const pid_t child : children) EXPECT_TRUE(ChildSucceeded(child));
  for (int i = 0; i < 40; ++i) {
    EXPECT_TRUE(HasBytes(Unsealed("n" + std::to_string(i)), bytes));
  }
}

TEST_F(DeferredReplyTest, UnmountEndsThoseWhoWait) {
  held_up_->HoldUp();
  const pid_t child = StartChild([this] {
    const int fd = ::open(Unsealed("a").c_str(), O_WRONLY | O_CREAT, 0644);
    CHILD_EXPECT(fd >= 0);
    CHILD_EXPECT(::write(fd, "x", 1) == -1);
  });
  ASSERT_TRUE(AwaitWaiting(1));
  mount_.reset();
  EXPECT_TRUE(ChildSucceeded(child));
  held_up_->LetGo();  // Its answer finds nobody.
}

// Invariants (1) and (2) of DeferredReply.
TEST(DeferredReplyAloneTest, IsGivenOnceWithNoLockHeld) {
  for (const bool early : {true, false}) {
    DeferredReplies all;
    const auto reply = all.Start(nullptr);
    int replies = 0;
    const auto answer = [&] {
      reply->Answer([&](fuse_req_t) {
        ++replies;
        reply->Answer([&](fuse_req_t) { ++replies; });
        EXPECT_FALSE(reply->Claim());
        EXPECT_EQ(all.size(), early ? 0u : 1u);
      });
    };
    if (early) answer();
    reply->Park(/*interruptible=*/false, nullptr);
    EXPECT_EQ(all.size(), early ? 0u : 1u);
    answer();
    reply->Cancel(EINTR);
    EXPECT_EQ(replies, 1);
    EXPECT_EQ(all.size(), 0u);
  }
}

// Invariant (3) of DeferredReply.  An end takes the same claim as the work.
TEST(DeferredReplyAloneTest, IsClaimedOnce) {
  DeferredReplies all;
  const auto reply = all.Start(nullptr);
  EXPECT_TRUE(reply->Claim());
  EXPECT_FALSE(reply->Claim());
  reply->Cancel(EINTR);  // A reply to no request would crash.
}

// Interrupts and answers race: each write is answered once, and what was said
// to be interrupted was not written.
// Invariants (1) and (3) of DeferredReply.
TEST_F(DeferredReplyTest, InterruptsAndAnswersRace) {
  for (int round = 0; round < 100; ++round) {
    ASSERT_TRUE(WriteFile(Unsealed("a"), "before"));
    held_up_->HoldUp();
    const pid_t child = StartChild([this] {
      struct sigaction action {};
      action.sa_handler = [](int) {};
      ::sigaction(SIGUSR1, &action, nullptr);
      const int fd = ::open(Unsealed("a").c_str(), O_WRONLY);
      const ssize_t written = ::write(fd, "AFTER!", 6);
      CHILD_EXPECT(written == 6 || (written == -1 && errno == EINTR));
      ::_exit(written == 6 ? 0 : 7);
    });
    ASSERT_TRUE(AwaitWaiting(1));
    ::kill(child, SIGUSR1);
    held_up_->LetGo();
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    const bool wrote = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    ASSERT_TRUE(wrote || WEXITSTATUS(status) == 7);
    ASSERT_EQ(ReadFile(Unsealed("a")), wrote ? "AFTER!" : "before") << round;
  }
  EXPECT_EQ(MountStatus()["parked_requests"], 0);
}

}  // namespace
}  // namespace vitrine::fusefs
