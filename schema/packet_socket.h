// The transport of the control protocol: Unix SOCK_SEQPACKET sockets, one
// packet for one message, descriptors beside it (SCM_RIGHTS).
//
// Thread-safe: all state is the kernel's.  Nothing here raises SIGPIPE, and
// every descriptor that arrives is close-on-exec and owned by an object.
#ifndef VITRINE_SCHEMA_PACKET_SOCKET_H_
#define VITRINE_SCHEMA_PACKET_SOCKET_H_

#include <sys/un.h>
#include <vitrine/result.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "schema/base/unique_fd.h"

namespace vitrine {

// The most descriptors that travel beside one packet.
inline constexpr size_t kMaxPacketDescriptors = 4;

enum class PacketWait : uint8_t { kWait, kDontWait };

// The address of `path`.  kInvalidArgument: empty, or too long for a socket.
Result<sockaddr_un> MakeSocketAddress(const std::string& path);

// A blocking, close-on-exec socket that is connected to the store at `path`.
// `timeout` bounds the wait for a store whose backlog is full.  kUnavailable:
// no store listens there.  kPermissionDenied: the path's mode bits.
Result<UniqueFd> ConnectPacketSocket(const std::string& path,
                                     std::chrono::milliseconds timeout);

// Makes the send buffer of `socket` hold messages of the greatest size.
// ConnectPacketSocket has done so.
void EnlargeSendBuffer(int socket);

// Sends `bytes` (not empty) with duplicates of `fds` as one packet, whole or
// not at all.  False: the call would block (kDontWait, or the socket is
// non-blocking).  kDisconnected: the peer is gone.
Result<bool> SendPacket(int socket, std::span<const uint8_t> bytes,
                        std::span<const int> fds, PacketWait wait);

struct Packet {
  std::span<const uint8_t> bytes;  // In the caller's buffer.
  std::vector<UniqueFd> fds;
};

// Receives one packet into `buffer`, which is aligned to 8 bytes for the sake
// of FlatBuffers.  Empty: no packet is there (kDontWait, or the socket is
// non-blocking).  kDisconnected: the peer closed the connection.  kCorruption:
// the packet was too long or had too many descriptors; it is lost, and its
// descriptors are closed.
Result<std::optional<Packet>> ReceivePacket(int socket,
                                            std::span<uint8_t> buffer,
                                            PacketWait wait);

// The same, but the kernel drops descriptors beside the packet, and this
// process never has them: closing one that a stranger made may block.
Result<std::optional<std::span<const uint8_t>>> ReceiveBytes(
    int socket, std::span<uint8_t> buffer, PacketWait wait);

}  // namespace vitrine

#endif  // VITRINE_SCHEMA_PACKET_SOCKET_H_
