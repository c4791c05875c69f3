// When a seal succeeds, and what happens to the objects of writers that die.
#include <signal.h>
#include <sys/xattr.h>

#include "tests/fusefs/mounted_store.h"
#include "tests/store/store_calls.h"

namespace vitrine::fusefs {
namespace {

class SealTest : public BothModes {
 protected:
  int Seal(const std::string& id) {
    return ErrnoOf(::rename(Unsealed(id).c_str(), Sealed(id).c_str()));
  }
};

// A child that does something, says so, and goes on when told.
class Partner {
 public:
  // `first` returns what `second` is given.
  Partner(const std::function<void*()>& first,
          const std::function<void(void*)>& second) {
    int ready[2];
    int go[2];
    if (::pipe2(ready, O_CLOEXEC) != 0 || ::pipe2(go, O_CLOEXEC) != 0) return;
    pid_ = StartChild([&] {
      void* state = first();
      char byte = 0;
      CHILD_EXPECT(::write(ready[1], "r", 1) == 1);
      CHILD_EXPECT(::read(go[0], &byte, 1) == 1);
      second(state);
      CHILD_EXPECT(::write(ready[1], "d", 1) == 1);
      CHILD_EXPECT(::read(go[0], &byte, 1) == 1);
    });
    ready_ = UniqueFd(ready[0]);
    go_ = UniqueFd(go[1]);
    ::close(ready[1]);
    ::close(go[0]);
  }
  bool Await() {
    char byte = 0;
    return ::read(ready_.get(), &byte, 1) == 1;
  }
  bool GoOn() { return ::write(go_.get(), "g", 1) == 1; }
  pid_t pid() const { return pid_; }
  bool Ended() { return ChildSucceeded(pid_); }

 private:
  pid_t pid_ = -1;
  UniqueFd ready_;
  UniqueFd go_;
};

TEST_P(SealTest, FailsWhileADescriptorIsOpenForWriting) {
  UniqueFd fd(::open(Unsealed("a").c_str(), O_RDWR | O_CREAT, 0644));
  ASSERT_EQ(::write(fd.get(), "x", 1), 1);
  EXPECT_EQ(Seal("a"), EBUSY);
  EXPECT_EQ(::write(fd.get(), "y", 1), 1);  // Unharmed.
  fd = UniqueFd();
  EXPECT_EQ(Seal("a"), 0);
  EXPECT_EQ(ReadFile(Sealed("a")), "xy");
}

TEST_P(SealTest, FailsWhileAMappingIsWritableThoughItsDescriptorIsClosed) {
  constexpr size_t kSize = 4 << 20;
  Partner partner(
      [this]() -> void* {
        const int fd = ::open(Unsealed("a").c_str(), O_RDWR | O_CREAT, 0644);
        CHILD_EXPECT(fd >= 0 && ::ftruncate(fd, kSize) == 0);
        void* data =
            ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        CHILD_EXPECT(data != MAP_FAILED);
        ::close(fd);
        std::memset(data, 'a', kSize);
        return data;
      },
      [](void* data) {
        std::memset(data, 'b', kSize);
        CHILD_EXPECT(::munmap(data, kSize) == 0);
      });
  ASSERT_TRUE(partner.Await());
  EXPECT_EQ(Seal("a"), EBUSY);
  ASSERT_TRUE(partner.GoOn() && partner.Await());
  EXPECT_EQ(Seal("a"), 0);
  EXPECT_TRUE(HasBytes(Sealed("a"), std::string(kSize, 'b')));
  ASSERT_TRUE(partner.GoOn());
  EXPECT_TRUE(partner.Ended());
}

TEST_P(SealTest, SucceedsWhileReadersHaveItOpenAndMapped) {
  const std::string bytes = Pattern(1 << 20);
  ASSERT_TRUE(WriteFile(Unsealed("a"), bytes));
  // The child must not inherit what the store, in this process, writes with.
  ASSERT_TRUE(Eventually([this] { return MountStatus()["open_files"] == 0; }));
  Partner partner(
      [&]() -> void* {
        const int fd = ::open(Unsealed("a").c_str(), O_RDONLY);
        CHILD_EXPECT(fd >= 0);
        void* data =
            ::mmap(nullptr, bytes.size(), PROT_READ, MAP_SHARED, fd, 0);
        CHILD_EXPECT(data != MAP_FAILED);
        return data;
      },
      [&](void* data) {
        CHILD_EXPECT(std::memcmp(data, bytes.data(), bytes.size()) == 0);
      });
  ASSERT_TRUE(partner.Await());
  EXPECT_EQ(Seal("a"), 0);
  EXPECT_TRUE(HasBytes(Sealed("a"), bytes));
  ASSERT_TRUE(partner.GoOn() && partner.Await() && partner.GoOn());
  EXPECT_TRUE(partner.Ended());
}

TEST_P(SealTest, SaysSoonThatSomebodyHasItOpen) {
  const UniqueFd fd(::open(Unsealed("a").c_str(), O_RDWR | O_CREAT, 0644));
  ASSERT_EQ(::write(fd.get(), "x", 1), 1);
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(Seal("a"), EBUSY);
  EXPECT_LT(std::chrono::steady_clock::now() - before,
            std::chrono::milliseconds(500));
}

TEST_P(SealTest, FollowsARunOfWritersThatHaveJustClosed) {
  for (int i = 0; i < 200; ++i) {
    const std::string id = "n" + std::to_string(i);
    ASSERT_TRUE(WriteFile(Unsealed(id), id));
    ASSERT_EQ(Seal(id), 0) << i;
  }
}

TEST_P(SealTest, IsSeenAtOnceWhenANativeClientDoesIt) {
  ASSERT_EQ(ErrnoOf(::open(Sealed("a").c_str(), O_RDONLY)), ENOENT);
  NewObject options;
  const auto object =
      store_->unsealed().Create(*ObjectId::FromText("a"), options);
  ASSERT_TRUE(object);
  {
    const auto fd = store_->unsealed().OpenForWriting(*object, kStoreItself);
    ASSERT_TRUE(fd);
    ASSERT_EQ(::write(fd->get(), "native", 6), 6);
  }
  EXPECT_EQ(ReadFile(Unsealed("a")), "native");
  ASSERT_TRUE(Eventually([&] {
    return SealNow(store_.get(), *object, *ObjectId::FromText("a")).has_value();
  }));
  EXPECT_EQ(ReadFile(Sealed("a")), "native");
  EXPECT_EQ(ErrnoOf(::open(Unsealed("a").c_str(), O_RDONLY)), ENOENT);
}

TEST_P(SealTest, WriterKilledHalfWayAbortsTheObject) {
  Partner partner(
      [this]() -> void* {
        const int fd = ::open(Unsealed("a").c_str(), O_WRONLY | O_CREAT, 0644);
        CHILD_EXPECT(::write(fd, "half", 4) == 4);
        return nullptr;
      },
      [](void*) {});
  ASSERT_TRUE(partner.Await());
  EXPECT_TRUE(FindUnsealed("a"));
  ASSERT_EQ(::kill(partner.pid(), SIGKILL), 0);
  EXPECT_FALSE(partner.Ended());
  EXPECT_TRUE(Eventually([this] { return !FindUnsealed("a"); }));
  EXPECT_NE(Seal("a"), 0);
}

TEST_P(SealTest, WriterThatEndsWithoutClosingDoesNotAbort) {
  EXPECT_TRUE(InChild([this] {
    const int fd = ::open(Unsealed("a").c_str(), O_WRONLY | O_CREAT, 0644);
    CHILD_EXPECT(::write(fd, "whole", 5) == 5);
  }));
  EXPECT_EQ(Seal("a"), 0);
  EXPECT_EQ(ReadFile(Sealed("a")), "whole");
}

TEST_P(SealTest, HeirOfADescriptorThatIsKilledDoesNotAbort) {
  UniqueFd fd(::open(Unsealed("a").c_str(), O_WRONLY | O_CREAT, 0644));
  ASSERT_EQ(::write(fd.get(), "a", 1), 1);
  const pid_t child = StartChild([] { ::raise(SIGKILL); });
  EXPECT_FALSE(ChildSucceeded(child));
  ASSERT_EQ(::write(fd.get(), "b", 1), 1);
  fd = UniqueFd();
  EXPECT_EQ(Seal("a"), 0);
  EXPECT_EQ(ReadFile(Sealed("a")), "ab");
}

// exit_group from one thread ends the others as a signal would.
TEST_P(SealTest, ProcessOfManyThreadsThatExitsDoesNotAbort) {
  const std::string script =
      "import os, threading, time\n"
      "f = os.open('" +
      Unsealed("a") +
      "', os.O_WRONLY | os.O_CREAT)\n"
      "os.write(f, b'whole')\n"
      "for i in range(8):\n"
      "  threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
      "os._exit(0)\n";
  const pid_t child = ::fork();
  if (child == 0) {
    ::execlp("python3", "python3", "-c", script.c_str(), nullptr);
    ::_exit(127);
  }
  if (!ChildSucceeded(child)) GTEST_SKIP() << "no python3";
  EXPECT_EQ(Seal("a"), 0);
  EXPECT_EQ(ReadFile(Sealed("a")), "whole");
}

TEST_P(SealTest, WritingBeyondTheCapacityIsRefusedAndHarmless) {
  Put("kept", "kept");
  ASSERT_EQ(::setxattr(Sealed("kept").c_str(), "user.vitrine.hold", "1", 1, 0),
            0);
  {
    const UniqueFd fd(::open(Unsealed("a").c_str(), O_RDWR | O_CREAT, 0644));
    EXPECT_EQ(ErrnoOf(::ftruncate(fd.get(), 4LL << 30)), ENOSPC);
    EXPECT_EQ(ErrnoOf(::fallocate(fd.get(), 0, 0, 4LL << 30)), ENOSPC);
    EXPECT_EQ(::write(fd.get(), "x", 1), 1);
  }
  ASSERT_EQ(::unlink(Unsealed("a").c_str()), 0);
  EXPECT_EQ(ReadFile(Sealed("kept")), "kept");
}

INSTANTIATE_BOTH_MODES(SealTest);

}  // namespace
}  // namespace vitrine::fusefs
