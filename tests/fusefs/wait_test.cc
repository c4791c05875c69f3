// wait/: opening blocks until the id is sealed.
#include <signal.h>

#include "tests/fusefs/mounted_store.h"

namespace vitrine::fusefs {
namespace {

class WaitTest : public BothModes {
 protected:
  uint64_t Parked() {
    return MountStatus().value("waiting_for_seal", uint64_t{0});
  }
  // Starts a process that expects `bytes` under wait/`id`.
  pid_t StartReader(const std::string& id, const std::string& bytes) {
    return StartChild([path = Waiting(id), bytes] {
      const int fd = ::open(path.c_str(), O_RDONLY);
      CHILD_EXPECT(fd >= 0);
      std::string got(bytes.size() + 1, '\0');
      CHILD_EXPECT(::read(fd, got.data(), got.size()) ==
                   static_cast<ssize_t>(bytes.size()));
      CHILD_EXPECT(got.compare(0, bytes.size(), bytes) == 0);
      struct stat info;
      CHILD_EXPECT(::fstat(fd, &info) == 0);
      CHILD_EXPECT(info.st_size == static_cast<off_t>(bytes.size()));
    });
  }
};

TEST_P(WaitTest, InterruptEndsTheWait) {
  const pid_t child = StartChild([this] {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGUSR1, &action, nullptr);
    const int fd = ::open(Waiting("never").c_str(), O_RDONLY);
    CHILD_EXPECT(fd < 0 && errno == EINTR);
  });
  ASSERT_TRUE(Eventually([this] { return Parked() == 1; }));
  ::kill(child, SIGUSR1);
  EXPECT_TRUE(ChildSucceeded(child));
  EXPECT_EQ(Parked(), 0u);
}

TEST_P(WaitTest, KilledWaiterLeavesNothing) {
  const pid_t child =
      StartChild([this] { ::open(Waiting("never").c_str(), O_RDONLY); });
  ASSERT_TRUE(Eventually([this] { return Parked() == 1; }));
  ::kill(child, SIGKILL);
  EXPECT_FALSE(ChildSucceeded(child));
  EXPECT_TRUE(Eventually([this] { return Parked() == 0; }));
}

TEST_P(WaitTest, UnmountEndsTheWait) {
  const pid_t child = StartChild(
      [this] { CHILD_EXPECT(::open(Waiting("never").c_str(), O_RDONLY) < 0); });
  ASSERT_TRUE(Eventually([this] { return Parked() == 1; }));
  mount_.reset();
  EXPECT_TRUE(ChildSucceeded(child));
}

TEST_P(WaitTest, WritersAndTheImpatientAreRefused) {
  EXPECT_EQ(ErrnoOf(::open(Waiting("a").c_str(), O_WRONLY)), EPERM);
  EXPECT_EQ(ErrnoOf(::open(Waiting("a").c_str(), O_RDONLY | O_NONBLOCK)),
            EAGAIN);
  EXPECT_EQ(ErrnoOf(::truncate(Waiting("a").c_str(), 1)), EPERM);
}

TEST_P(WaitTest, SealedObjectIsOpenedAtOnce) {
  Put("a", "sealed");
  EXPECT_EQ(ReadFile(Waiting("a")), "sealed");
  EXPECT_EQ(ErrnoOf(::open(Waiting("a").c_str(), O_WRONLY)), EPERM);
}

TEST_P(WaitTest, EveryWaiterWakesAtTheSeal) {
  const std::string bytes = Pattern(300'000);
  std::vector<pid_t> children;
  for (int i = 0; i < 40; ++i) children.push_back(StartReader("a", bytes));
  ASSERT_TRUE(Eventually([this] { return Parked() == 40; }));
  // The store goes on meanwhile, though there are more waiters than threads.
  Put("b", "other");
  EXPECT_EQ(ReadFile(Sealed("b")), "other");
  Put("a", bytes);
  for (const pid_t child : children) EXPECT_TRUE(ChildSucceeded(child));
  EXPECT_EQ(Parked(), 0u);
}

TEST_P(WaitTest, WaiterOutlivesTheAbortOfTheFirstAttempt) {
  ASSERT_TRUE(WriteFile(Unsealed("a"), "first"));
  const pid_t child = StartReader("a", "second");
  ASSERT_TRUE(Eventually([this] { return Parked() == 1; }));
  ASSERT_EQ(::unlink(Unsealed("a").c_str()), 0);
  Put("a", "second");
  EXPECT_TRUE(ChildSucceeded(child));
}

TEST_P(WaitTest, SealUnderAnotherNameWakesThoseWhoWaitForThatName) {
  const pid_t child = StartReader("b", "bytes");
  ASSERT_TRUE(Eventually([this] { return Parked() == 1; }));
  ASSERT_TRUE(WriteFile(Unsealed("a"), "bytes"));
  ASSERT_EQ(::rename(Unsealed("a").c_str(), Sealed("b").c_str()), 0);
  EXPECT_TRUE(ChildSucceeded(child));
}

INSTANTIATE_BOTH_MODES(WaitTest);

}  // namespace
}  // namespace vitrine::fusefs
