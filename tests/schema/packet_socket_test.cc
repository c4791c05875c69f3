#include "schema/packet_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>

#include "schema/protocol.h"
#include "tests/support/scratch_dir.h"

namespace vitrine {
namespace {

class PacketSocketTest : public testing::Test {
 protected:
  PacketSocketTest() {
    std::array<int, 2> fds = {-1, -1};
    EXPECT_EQ(
        ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.data()), 0);
    here_ = UniqueFd(fds[0]);
    there_ = UniqueFd(fds[1]);
    EnlargeSendBuffer(here_.get());
  }

  Result<bool> Send(std::span<const uint8_t> bytes,
                    std::span<const int> fds = {}) {
    return SendPacket(here_.get(), bytes, fds, PacketWait::kDontWait);
  }
  Result<std::optional<Packet>> Receive() {
    return ReceivePacket(there_.get(), buffer_, PacketWait::kDontWait);
  }

  UniqueFd here_;
  UniqueFd there_;
  std::vector<uint8_t> buffer_ = std::vector<uint8_t>(kMaxMessageBytes);
};

TEST_F(PacketSocketTest, EmptyPacketsAreNotSent) {
  EXPECT_EQ(Send({}).error().code, Code::kInvalidArgument);
}

TEST_F(PacketSocketTest, TooManyDescriptorsAreNotSent) {
  const std::array<uint8_t, 1> bytes = {1};
  const std::array<int, kMaxPacketDescriptors + 1> fds = {};
  EXPECT_EQ(Send(bytes, fds).error().code, Code::kInvalidArgument);
}

TEST_F(PacketSocketTest, PacketThatIsTooLongIsAnErrorAndTheNextOneIsNot) {
  ASSERT_TRUE(Send(std::vector<uint8_t>(kMaxMessageBytes + 1)));
  ASSERT_TRUE(Send(std::vector<uint8_t>(3)));
  EXPECT_EQ(Receive().error().code, Code::kCorruption);
  const auto packet = Receive();
  ASSERT_TRUE(packet && packet->has_value());
  EXPECT_EQ((*packet)->bytes.size(), 3U);
}

TEST_F(PacketSocketTest, DescriptorsBeyondTheMostAreClosed) {
  const size_t before = CountDescriptors();
  std::array<uint8_t, 1> byte = {1};
  std::array<int, kMaxPacketDescriptors + 2> fds;
  fds.fill(STDIN_FILENO);
  iovec data = {byte.data(), byte.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(fds))> control = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(fds));
  std::memcpy(CMSG_DATA(header), fds.data(), sizeof(fds));
  ASSERT_EQ(::sendmsg(here_.get(), &message, 0), 1);
  EXPECT_EQ(Receive().error().code, Code::kCorruption);
  EXPECT_EQ(CountDescriptors(), before);
}

TEST_F(PacketSocketTest, ReceiveBytesTakesNoDescriptors) {
  const std::array<uint8_t, 2> bytes = {1, 2};
  const std::array<int, 2> fds = {here_.get(), there_.get()};
  const size_t before = CountDescriptors();
  ASSERT_TRUE(Send(bytes, fds));
  const auto received =
      ReceiveBytes(there_.get(), buffer_, PacketWait::kDontWait);
  ASSERT_TRUE(received && received->has_value());
  EXPECT_EQ((*received)->size(), 2U);
  EXPECT_EQ(CountDescriptors(), before);
}

TEST_F(PacketSocketTest, PeerThatClosedIsDisconnected) {
  here_ = UniqueFd();
  EXPECT_EQ(Receive().error().code, Code::kDisconnected);
  EXPECT_EQ(SendPacket(there_.get(), std::vector<uint8_t>(1), {},
                       PacketWait::kDontWait)
                .error()
                .code,
            Code::kDisconnected);
}

TEST_F(PacketSocketTest, WhatThePeerSaidBeforeItClosedIsStillReceived) {
  // `here_` closes without having read this: the kernel calls that a reset.
  ASSERT_TRUE(SendPacket(there_.get(), std::vector<uint8_t>(9), {},
                         PacketWait::kDontWait));
  ASSERT_TRUE(Send(std::vector<uint8_t>(5)));
  here_ = UniqueFd();
  const auto packet = Receive();
  ASSERT_TRUE(packet && packet->has_value());
  EXPECT_EQ((*packet)->bytes.size(), 5U);
  EXPECT_EQ(Receive().error().code, Code::kDisconnected);
}

TEST_F(PacketSocketTest, NothingThereIsNoError) {
  const auto packet = Receive();
  ASSERT_TRUE(packet);
  EXPECT_FALSE(packet->has_value());
}

TEST_F(PacketSocketTest, FullSocketSaysThatItWouldHaveToWait) {
  const std::vector<uint8_t> bytes(kMaxMessageBytes);
  bool sent = true;
  for (int i = 0; i < 100 && sent; ++i) {
    const auto result = Send(bytes);
    ASSERT_TRUE(result);
    sent = *result;
  }
  EXPECT_FALSE(sent);
}

TEST_F(PacketSocketTest, GreatestPacketArrivesWholeWithItsDescriptors) {
  std::vector<uint8_t> bytes(kMaxMessageBytes);
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<uint8_t>(i * 31);
  }
  const UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  const std::array<int, 2> fds = {file.get(), file.get()};
  ASSERT_TRUE(Send(bytes, fds));
  const auto packet = Receive();
  ASSERT_TRUE(packet && packet->has_value());
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), (*packet)->bytes.begin(),
                         (*packet)->bytes.end()));
  ASSERT_EQ((*packet)->fds.size(), 2U);
  struct stat sent {};
  struct stat received {};
  ASSERT_EQ(::fstat(file.get(), &sent), 0);
  for (const UniqueFd& fd : (*packet)->fds) {
    ASSERT_EQ(::fstat(fd.get(), &received), 0);
    EXPECT_EQ(received.st_ino, sent.st_ino);
    EXPECT_EQ(::fcntl(fd.get(), F_GETFD), FD_CLOEXEC);
  }
}

TEST(MakeSocketAddressTest, PathsThatFitNoSocketAreRefused) {
  EXPECT_EQ(MakeSocketAddress("").error().code, Code::kInvalidArgument);
  EXPECT_EQ(MakeSocketAddress(std::string(108, 'x')).error().code,
            Code::kInvalidArgument);
  EXPECT_EQ(MakeSocketAddress(std::string("a\0b", 3)).error().code,
            Code::kInvalidArgument);
  EXPECT_TRUE(MakeSocketAddress(std::string(107, 'x')));
}

TEST(ConnectPacketSocketTest, PlaceWhereNobodyListensIsUnavailable) {
  const auto timeout = std::chrono::milliseconds(10);
  EXPECT_EQ(ConnectPacketSocket("/nonexistent/x.sock", timeout).error().code,
            Code::kUnavailable);
}

TEST(ConnectPacketSocketTest, AStoreThatDoesNotAcceptHasTooMany) {
  const ScratchDir dir;
  const std::string path = dir.path() + "/x.sock";
  const UniqueFd listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const auto address = *MakeSocketAddress(path);
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address),
                   sizeof(address)),
            0);
  ASSERT_EQ(::listen(listener.get(), 0), 0);
  const auto timeout = std::chrono::milliseconds(10);
  std::vector<UniqueFd> waiting;
  Result<UniqueFd> connected = ConnectPacketSocket(path, timeout);
  while (connected && waiting.size() < 100) {
    waiting.push_back(*std::move(connected));
    connected = ConnectPacketSocket(path, timeout);
  }
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code, Code::kTooMany);
}

}  // namespace
}  // namespace vitrine
