#include "store/server/server_listener.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "schema/packet_socket.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::store::server {
namespace {

namespace fs = std::filesystem;

class ListeningSocketTest : public testing::Test {
 protected:
  // What a killed store leaves: a socket that nobody has open.
  void LeaveStaleSocket() {
    const auto address = *MakeSocketAddress(path_);
    const UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                     sizeof(address)),
              0);
  }
  bool Connects() const {
    return ConnectPacketSocket(path_, std::chrono::milliseconds(100))
        .has_value();
  }

  ScratchDir dir_{"/tmp"};
  std::string path_ = dir_.path() + "/a.sock";
};

TEST_F(ListeningSocketTest, PathThatIsTooLongIsAClearError) {
  const auto bound =
      ListeningSocket::Bind(dir_.path() + "/" + std::string(100, 'x'), 0666);
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().code, Code::kInvalidArgument);
  EXPECT_TRUE(fs::is_empty(dir_.path()));
}

TEST_F(ListeningSocketTest, FileThatIsNoSocketStays) {
  std::ofstream(path_) << "precious";
  const auto bound = ListeningSocket::Bind(path_, 0666);
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().code, Code::kUnavailable);
  EXPECT_EQ(fs::file_size(path_), 8U);
  EXPECT_FALSE(fs::exists(path_ + ".lock"));
}

TEST_F(ListeningSocketTest, SecondOneIsRefusedAndHarmsNothing) {
  const auto first = ListeningSocket::Bind(path_, 0666);
  ASSERT_TRUE(first);
  const auto second = ListeningSocket::Bind(path_, 0666);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUnavailable);
  EXPECT_TRUE(Connects());
}

TEST_F(ListeningSocketTest, LiveSocketWhoseLockWasRemovedIsLeftAlone) {
  const auto first = ListeningSocket::Bind(path_, 0666);
  ASSERT_TRUE(first);
  fs::remove(path_ + ".lock");
  EXPECT_EQ(ListeningSocket::Bind(path_, 0666).error().code,
            Code::kUnavailable);
  EXPECT_TRUE(Connects());
}

TEST_F(ListeningSocketTest, ALockThatOthersCouldTakeKeepsNobodyAway) {
  const std::string lock = path_ + ".lock";
  std::ofstream(lock) << "1\n";
  ASSERT_EQ(::chmod(lock.c_str(), 0666), 0);
  const UniqueFd other(::open(lock.c_str(), O_RDONLY));
  ASSERT_EQ(::flock(other.get(), LOCK_SH | LOCK_NB), 0);
  const auto bound = ListeningSocket::Bind(path_, 0666);
  ASSERT_TRUE(bound) << bound.error().ToString();
  struct stat info {};
  ASSERT_EQ(::stat(lock.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_FALSE(ListeningSocket::Bind(path_, 0666));
}

TEST_F(ListeningSocketTest, SocketOfAKilledStoreIsReplaced) {
  LeaveStaleSocket();
  EXPECT_FALSE(Connects());
  const auto bound = ListeningSocket::Bind(path_, 0666);
  ASSERT_TRUE(bound) << bound.error().ToString();
  EXPECT_TRUE(Connects());
}

TEST_F(ListeningSocketTest, SocketOfSomebodyElseStaysAtTheEnd) {
  {
    const auto bound = ListeningSocket::Bind(path_, 0666);
    ASSERT_TRUE(bound);
    fs::remove(path_);
    LeaveStaleSocket();
  }
  EXPECT_TRUE(fs::exists(fs::symlink_status(path_)));
}

TEST_F(ListeningSocketTest, NothingIsLeftBehind) {
  ASSERT_TRUE(ListeningSocket::Bind(path_, 0666));
  EXPECT_TRUE(fs::is_empty(dir_.path()));
}

TEST_F(ListeningSocketTest, MissingDirectoriesAreMadeAndTheModeIsAsAsked) {
  path_ = dir_.path() + "/one/two/a.sock";
  const auto bound = ListeningSocket::Bind(path_, 0640);
  ASSERT_TRUE(bound) << bound.error().ToString();
  struct stat status {};
  ASSERT_EQ(::lstat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0640U);
  ASSERT_EQ(::lstat((dir_.path() + "/one").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, ::geteuid() == 0 ? 0755U : 0700U);
}

}  // namespace
}  // namespace vitrine::store::server
