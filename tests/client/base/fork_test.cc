#include "client/base/fork.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vitrine/client.h>

#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "schema/base/sanitizers.h"
#include "tests/client/test_store.h"

namespace vitrine {
namespace {

// The exit status of a child that runs `body` and exits with what it returns.
int InChild(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

// Numbers the checks of a child: 0 if all hold, else which one did not.
class Checks {
 public:
  void operator()(bool holds) {
    ++count_;
    if (!holds && failed_ == 0) failed_ = count_;
  }
  int failed() const { return failed_; }

 private:
  int count_ = 0;
  int failed_ = 0;
};

// Invariant (2) of fork.h.
TEST(PrivateFdTest, AChildHasADudInstead) {
  const PrivateFd fd(UniqueFd(::eventfd(7, EFD_CLOEXEC | EFD_NONBLOCK)));
  EXPECT_EQ(InChild([&] {
              eventfd_t value = 0;
              return ::eventfd_read(fd.get(), &value) == 0 ? 1 : 0;
            }),
            0);
  eventfd_t value = 0;
  EXPECT_EQ(::eventfd_read(fd.get(), &value), 0);
  EXPECT_EQ(value, 7u);
}

class ForkTest : public testing::Test {
 protected:
  TestStore store_;
  Client client_ = store_.Connect();
};

// Invariant (1) of fork.h.
TEST_F(ForkTest, TheChildIsToldToConnectAnew) {
  EXPECT_EQ(InChild([&] {
              Checks check;
              const auto forked = [](const auto& result) {
                return !result && result.error().code == Code::kForked;
              };
              check(forked(client_.Get(Id("a"))));
              check(forked(client_.Create(Id("a"), 1)));
              check(forked(client_.Put(Id("a"), {})));
              check(forked(client_.Contains(Id("a"))));
              check(forked(client_.Stat(Id("a"))));
              check(forked(client_.List()));
              check(forked(client_.Delete(Id("a"))));
              check(forked(client_.GetMany({}, {})));
              check(forked(client_.Subscribe()));
              check(forked(client_.GetStatus()));
              return check.failed();
            }),
            0);
  EXPECT_TRUE(client_.Put(Id("a"), BytesOf("x")));
}

TEST_F(ForkTest, TheChildReadsOnAndHarmsNothing) {
  const std::string text = Content(1, 200000);
  ASSERT_TRUE(client_.Put(Id("a"), BytesOf(text)));
  auto object = std::make_optional(*client_.Get(Id("a")));
  auto writer = std::make_optional(*client_.Create(Id("b"), 200000));
  auto small = std::make_optional(*client_.Create(Id("c"), 100));
  auto events = std::make_optional(*client_.Subscribe());
  auto client = std::make_optional(std::move(client_));
  EXPECT_EQ(InChild([&] {
              Checks check;
              check(TextOf(*object) == text);
              check(writer->bytes().empty());
              check(CodeOf(writer->Seal()) == Code::kForked);
              check(small->bytes().empty());
              check(CodeOf(small->SealLater()) == Code::kForked);
              small.reset();
              check(CodeOf(events->Next(kNever)) == Code::kForked);
              const Object copy = *object;
              object.reset();
              check(TextOf(copy) == text);
              writer.reset();
              events.reset();
              client.reset();
              check(TextOf(copy) == text);
              return check.failed();
            }),
            0);
  std::memset(writer->bytes().data(), 1, writer->bytes().size());
  EXPECT_TRUE(writer->Seal());
  EXPECT_EQ(events->Next(Timeout(20000))->id->text(), "b");
  EXPECT_EQ(TextOf(*object), text);
  EXPECT_TRUE(client->Evict(uint64_t{1} << 30));
  EXPECT_TRUE(*client->Contains(Id("a")));  // Still pinned.
}

TEST_F(ForkTest, TheChildConnectsAnew) {
  if (kThreadSanitizer) {
    GTEST_SKIP() << "ThreadSanitizer has no threads after a fork";
  }
  ASSERT_TRUE(client_.Put(Id("a"), BytesOf("hello")));
  EXPECT_EQ(InChild([&] {
              auto again = Client::Connect(store_.Options());
              if (!again) return 1;
              auto object = again->Get(Id("a"));
              if (!object || TextOf(*object) != "hello") return 2;
              client_ = *again;
              return client_.Put(Id("b"), BytesOf("x")) ? 0 : 3;
            }),
            0);
  EXPECT_TRUE(*client_.Contains(Id("b")));
}

// Invariant (2) of fork.h.
TEST_F(ForkTest, ALivingChildKeepsNothingAlive) {
  ASSERT_TRUE(client_.Put(Id("kept"), BytesOf(Content(1, 200000))));
  ASSERT_TRUE(client_.Get(Id("kept")));
  std::array<int, 2> pipe_fds;
  ASSERT_EQ(::pipe2(pipe_fds.data(), O_CLOEXEC), 0);
  auto second = std::make_optional(store_.Connect());
  auto writer = second->Create(Id("left"), 10, {.announce = true});
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(pipe_fds[1]);
    char byte;
    ::_exit(::read(pipe_fds[0], &byte, 1) == 0 ? 0 : 1);
  }
  // The kept mapping is not the child's, nor is the life-line; as soon as its
  // fork handler has run.
  EXPECT_TRUE(Eventually([&] {
    EXPECT_TRUE(client_.Evict(uint64_t{1} << 30));
    return !*client_.Contains(Id("kept"));
  }));
  second.reset();
  EXPECT_TRUE(Eventually(
      [&] { return CodeOf(client_.Stat(Id("left"))) == Code::kNotFound; }));
  ::close(pipe_fds[1]);
  ::close(pipe_fds[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(ForkTest, AChildDoesNotKeepAnObjectFromBeingSealed) {
  auto writer = client_.Create(Id("a"), 200000);
  ASSERT_TRUE(writer);
  std::array<int, 2> pipe_fds;
  ASSERT_EQ(::pipe2(pipe_fds.data(), O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(pipe_fds[1]);
    char byte;
    ::_exit(::read(pipe_fds[0], &byte, 1) == 0 ? 0 : 1);
  }
  EXPECT_TRUE(writer->Seal());
  ::close(pipe_fds[1]);
  ::close(pipe_fds[0]);
  ::waitpid(child, nullptr, 0);
}

TEST_F(ForkTest, ForksAmongBusyThreadsDoNotHang) {
  if (kAddressSanitizer) {
    GTEST_SKIP() << "a child may find the locks of ASan's allocator taken";
  }
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(client_.Put(Id("object" + std::to_string(i)),
                            BytesOf(Content(1, 10000))));
  }
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; !stop; ++i) {
        const std::string id = "object" + std::to_string((t + i) % 20);
        auto object = client_.Get(Id(id));
        EXPECT_TRUE(object);
        if (i % 50 == 0) {
          auto writer = client_.Create(ObjectId::Random(), 10000);
          EXPECT_TRUE(writer) << writer.error().ToString();
          if (writer) {
            EXPECT_TRUE(writer->Seal());
          }
        }
      }
    });
  }
  auto held = *client_.Get(Id("object0"));
  for (int round = 0; round < 50; ++round) {
    ASSERT_EQ(InChild([&] {
                const bool same = TextOf(held) == Content(1, 10000);
                const auto code = CodeOf(client_.Get(Id("object1")));
                client_ = client_;
                return same && code == Code::kForked ? 0 : 1;
              }),
              0);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace vitrine
