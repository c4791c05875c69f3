#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "client/tools/progress.h"
#include "schema/base/unique_fd.h"

namespace vitrine::tools {
namespace {

constexpr uint64_t kLarge = uint64_t{100} << 20;

// Makes stderr a terminal for as long as it lives.
class TerminalOnStderr {
 public:
  TerminalOnStderr() {
    std::fflush(stderr);
    saved_ = UniqueFd(::dup(STDERR_FILENO));
    master_ = UniqueFd(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!master_.valid() || ::grantpt(master_.get()) != 0 ||
        ::unlockpt(master_.get()) != 0) {
      return;
    }
    const char* name = ::ptsname(master_.get());
    const UniqueFd slave(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
    works_ = slave.valid() && ::dup2(slave.get(), STDERR_FILENO) >= 0;
  }
  ~TerminalOnStderr() { ::dup2(saved_.get(), STDERR_FILENO); }

  bool works() const { return works_; }
  // What was written to it.
  std::string Read() {
    std::fflush(stderr);
    std::string text;
    pollfd ready{.fd = master_.get(), .events = POLLIN, .revents = 0};
    std::array<char, 4096> buffer;
    while (::poll(&ready, 1, 100) == 1) {
      const ssize_t got = ::read(master_.get(), buffer.data(), buffer.size());
      if (got <= 0) break;
      text.append(buffer.data(), static_cast<size_t>(got));
    }
    return text;
  }

 private:
  UniqueFd saved_;
  UniqueFd master_;
  bool works_ = false;
};

TEST(ProgressTest, NothingIsShownWhereThereIsNoTerminal) {
  testing::internal::CaptureStderr();
  { Progress("x", kLarge).Update(kLarge); }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(ProgressTest, ASmallQuickTransferShowsNothing) {
  TerminalOnStderr terminal;
  if (!terminal.works()) GTEST_SKIP() << "no pseudo terminal";
  { Progress("x", 1000).Update(1000); }
  EXPECT_EQ(terminal.Read(), "");
}

TEST(ProgressTest, ALargeTransferShowsABarAndWipesIt) {
  TerminalOnStderr terminal;
  if (!terminal.works()) GTEST_SKIP() << "no pseudo terminal";
  { Progress("x\n", kLarge).Update(kLarge / 2); }
  const std::string text = terminal.Read();
  EXPECT_NE(text.find("[############............] 50%"), std::string::npos)
      << text;
  EXPECT_NE(text.find("50.0 MiB of 100.0 MiB"), std::string::npos) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("\r\x1b[K")) << text;
}

TEST(ProgressTest, MoreThanWasExpectedIsNoMoreThanAll) {
  TerminalOnStderr terminal;
  if (!terminal.works()) GTEST_SKIP() << "no pseudo terminal";
  { Progress("x", kLarge).Update(2 * kLarge); }
  EXPECT_NE(terminal.Read().find("] 100%"), std::string::npos);
}

}  // namespace
}  // namespace vitrine::tools
