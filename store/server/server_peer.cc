#include "store/server/server_peer.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

// The headers of the oldest supported system lack it.
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

namespace vitrine::store::server {
namespace {

Result<std::vector<gid_t>> PeerGroups(int socket) {
  std::vector<gid_t> groups(32);
  for (;;) {
    socklen_t size_bytes =
        static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(),
                     &size_bytes) == 0) {
      groups.resize(size_bytes / sizeof(gid_t));
      return groups;
    }
    if (errno == ENODATA) return std::vector<gid_t>();
    if (errno != ERANGE) return ErrnoError("SO_PEERGROUPS", errno);
    groups.resize(size_bytes / sizeof(gid_t));
  }
}

}  // namespace

Result<Credentials> PeerCredentials(int socket) {
  ucred peer = {};
  socklen_t size_bytes = sizeof(peer);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size_bytes) != 0) {
    return ErrnoError("SO_PEERCRED", errno);
  }
  auto groups = PeerGroups(socket);
  if (!groups) return groups.error();
  return Credentials{.uid = peer.uid,
                     .gid = peer.gid,
                     .pid = peer.pid,
                     .groups = std::move(*groups)};
}

UniqueFd OpenPeerProcess(int socket, pid_t pid) {
  int fd = -1;
  socklen_t size_bytes = sizeof(fd);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &size_bytes) == 0) {
    return UniqueFd(fd);
  }
  if (errno != ENOPROTOOPT || pid <= 0) return UniqueFd();
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

void RefuseDescriptors(int socket) {
  const int off = 0;
  ::setsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
}

}  // namespace vitrine::store::server
