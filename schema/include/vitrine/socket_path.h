// The default paths of the store's socket.
#ifndef VITRINE_SOCKET_PATH_H_
#define VITRINE_SOCKET_PATH_H_

#include <string>

namespace vitrine {

// $VITRINE_SOCKET if it is set, else UserSocketPath.  If $VITRINE_SOCKET is not
// set, a client that finds no store there also tries SystemSocketPath.
std::string DefaultSocketPath();

// Root: SystemSocketPath.  Others: $XDG_RUNTIME_DIR/vitrine.sock, or
// /tmp/vitrine-<uid>/vitrine.sock if that is not set.
std::string UserSocketPath();

// /run/vitrine/vitrine.sock
std::string SystemSocketPath();

}  // namespace vitrine

#endif  // VITRINE_SOCKET_PATH_H_
