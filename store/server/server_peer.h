// The kernel's facts about the process at the other end of a socket.
#ifndef VITRINE_STORE_SERVER_SERVER_PEER_H_
#define VITRINE_STORE_SERVER_SERVER_PEER_H_

#include <vitrine/result.h>

#include "schema/base/unique_fd.h"
#include "store/base/object.h"

namespace vitrine::store::server {

// The peer's credentials, with supplementary groups, at the time of connect(2).
Result<Credentials> PeerCredentials(int socket);

// A descriptor that becomes readable when the process that connected ends,
// even if a child of it still has the connection.  Not valid: the kernel does
// not support it, or the process is not visible from here.
UniqueFd OpenPeerProcess(int socket, pid_t pid);

// Has the kernel (6.16 and later) refuse descriptors from clients: closing a
// foreign one may block.
void RefuseDescriptors(int socket);

}  // namespace vitrine::store::server

#endif  // VITRINE_STORE_SERVER_SERVER_PEER_H_
