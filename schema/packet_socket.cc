#include "schema/packet_socket.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "schema/protocol.h"

namespace vitrine {
namespace {

// Aligned as CMSG_* wants it; room for the most descriptors.
union ControlBuffer {
  cmsghdr align;
  char bytes[CMSG_SPACE(sizeof(int) * kMaxPacketDescriptors)];
};

Error PeerClosed() {
  return Error{Code::kDisconnected, "the peer closed the connection"};
}

int WaitFlag(PacketWait wait) {
  return wait == PacketWait::kDontWait ? MSG_DONTWAIT : 0;
}

void AttachDescriptors(std::span<const int> fds, ControlBuffer* control,
                       msghdr* message) {
  message->msg_control = control->bytes;
  message->msg_controllen = CMSG_SPACE(fds.size_bytes());
  cmsghdr* header = CMSG_FIRSTHDR(message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(fds.size_bytes());
  std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
}

std::vector<UniqueFd> TakeDescriptors(msghdr* message) {
  std::vector<UniqueFd> fds;
  for (cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr;
       header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
      continue;
    }
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      fds.emplace_back(fd);
    }
  }
  return fds;
}

Error TooLong() {
  return Error{Code::kCorruption, "a packet that is too long"};
}

// The packet's size; empty: no packet is there.
Result<std::optional<size_t>> Receive(int socket, msghdr* message,
                                      PacketWait wait) {
  ssize_t size = 0;
  bool reset = false;
  while ((size = ::recvmsg(socket, message,
                           MSG_CMSG_CLOEXEC | WaitFlag(wait))) < 0) {
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return std::optional<size_t>();
    }
    // The peer closed the connection without reading all that was sent.  Its
    // own packets are still queued behind this error.
    if (errno == ECONNRESET && !std::exchange(reset, true)) continue;
    if (errno == ECONNRESET) return PeerClosed();
    return ErrnoError("recvmsg", errno);
  }
  return std::optional<size_t>(static_cast<size_t>(size));
}

// The error of a failed connect(2), by what a client can do about it.
Error ConnectError(const std::string& path, int errno_value) {
  if (errno_value == EAGAIN) {
    return Error{Code::kTooMany,
                 "connect to " + path + ": too many wait to be accepted"};
  }
  Error error = ErrnoError("connect to " + path, errno_value);
  if (errno_value == ENOENT || errno_value == ECONNREFUSED ||
      errno_value == ENOTDIR ||
      // The socket of a store that is just starting is closed to others.
      errno_value == EACCES) {
    error.code = Code::kUnavailable;
  }
  return error;
}

void SetSendTimeout(int socket, std::chrono::milliseconds timeout) {
  timeval value = {};
  value.tv_sec = timeout.count() / 1000;
  value.tv_usec = timeout.count() % 1000 * 1000;
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &value, sizeof(value));
}

}  // namespace

Result<sockaddr_un> MakeSocketAddress(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.find('\0') != std::string::npos) {
    return Error{Code::kInvalidArgument, "the path of a socket is empty"};
  }
  if (path.size() >= sizeof(address.sun_path)) {
    return Error{Code::kInvalidArgument,
                 "the path of a socket has at most " +
                     std::to_string(sizeof(address.sun_path) - 1) +
                     " bytes: " + path};
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Result<UniqueFd> ConnectPacketSocket(const std::string& path,
                                     std::chrono::milliseconds timeout) {
  auto address = MakeSocketAddress(path);
  if (!address) return address.error();
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoError("socket", errno);
  EnlargeSendBuffer(fd.get());
  // The send timeout also bounds how long connect(2) waits for room in the
  // backlog; zero would mean for ever.
  SetSendTimeout(fd.get(), std::max(timeout, std::chrono::milliseconds(1)));
  while (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address),
                   sizeof(*address)) != 0) {
    if (errno != EINTR) return ConnectError(path, errno);
  }
  SetSendTimeout(fd.get(), std::chrono::milliseconds(0));
  return fd;
}

void EnlargeSendBuffer(int socket) {
  const int size_bytes = 2 * static_cast<int>(kMaxMessageBytes);
  // The kernel caps the size at its limit, which by default is enough.
  ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &size_bytes, sizeof(size_bytes));
}

Result<bool> SendPacket(int socket, std::span<const uint8_t> bytes,
                        std::span<const int> fds, PacketWait wait) {
  if (bytes.empty() || fds.size() > kMaxPacketDescriptors) {
    return Error{Code::kInvalidArgument, "a packet that cannot be sent"};
  }
  iovec data = {const_cast<uint8_t*>(bytes.data()), bytes.size()};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  ControlBuffer control = {};
  if (!fds.empty()) AttachDescriptors(fds, &control, &message);
  while (::sendmsg(socket, &message, MSG_NOSIGNAL | WaitFlag(wait)) < 0) {
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
    if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) {
      return PeerClosed();
    }
    return ErrnoError("sendmsg", errno);
  }
  return true;
}

Result<std::optional<Packet>> ReceivePacket(int socket,
                                            std::span<uint8_t> buffer,
                                            PacketWait wait) {
  iovec data = {buffer.data(), buffer.size()};
  ControlBuffer control = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof(control.bytes);
  const auto size = Receive(socket, &message, wait);
  if (!size) return size.error();
  if (!size->has_value()) return std::optional<Packet>();
  Packet packet;
  packet.fds = TakeDescriptors(&message);
  if ((message.msg_flags & MSG_TRUNC) != 0) return TooLong();
  if ((message.msg_flags & MSG_CTRUNC) != 0) {
    return Error{Code::kCorruption,
                 "descriptors were lost: too many, or no room for them"};
  }
  if (**size == 0) return PeerClosed();
  packet.bytes = buffer.first(**size);
  return std::optional<Packet>(std::move(packet));
}

Result<std::optional<std::span<const uint8_t>>> ReceiveBytes(
    int socket, std::span<uint8_t> buffer, PacketWait wait) {
  using Bytes = std::span<const uint8_t>;
  iovec data = {buffer.data(), buffer.size()};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  const auto size = Receive(socket, &message, wait);
  if (!size) return size.error();
  if (!size->has_value()) return std::optional<Bytes>();
  if ((message.msg_flags & MSG_TRUNC) != 0) return TooLong();
  if (**size == 0) return PeerClosed();
  return std::optional<Bytes>(buffer.first(**size));
}

}  // namespace vitrine
