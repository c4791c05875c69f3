#ifndef VITRINE_STORE_SERVER_SERVER_LISTENER_H_
#define VITRINE_STORE_SERVER_SERVER_LISTENER_H_

#include <sys/types.h>
#include <vitrine/result.h>

#include <optional>
#include <string>

#include "schema/base/unique_fd.h"
#include "store/host/owned_lock.h"

namespace vitrine::store::server {

// Owns the socket that clients connect to, its name in the file system, and the
// lock of `<path>.lock`.  The lock keeps a second store from taking the name
// between the check and the bind.  The destructor removes both files, but not
// another socket that was put at the path meanwhile.
class ListeningSocket {
 public:
  // Makes the directory of `path` if it is missing: 0755 for root and for a
  // socket that others may use, else 0700.  Replaces a socket that a killed
  // store left.  kUnavailable: a store listens there, or `path` is no socket.
  // kInvalidArgument: `path` is too long for a socket.
  // kNotPermitted: the socket cannot be given to `group`.
  static Result<ListeningSocket> Bind(const std::string& path, mode_t mode,
                                      std::optional<gid_t> group = {});

  ListeningSocket(ListeningSocket&& other) noexcept = default;
  ListeningSocket& operator=(ListeningSocket&&) = delete;
  ~ListeningSocket();

  int fd() const { return socket_.get(); }
  const std::string& path() const { return path_; }

 private:
  explicit ListeningSocket(std::string path) : path_(std::move(path)) {}

  Status RemoveStale() const;
  Status BindAndListen(mode_t mode, std::optional<gid_t> group);

  std::string path_;
  OwnedLock lock_;   // Goes after the socket's name.
  UniqueFd socket_;  // Valid: bound; then dev_ and ino_ are the name's.
  dev_t dev_ = 0;
  ino_t ino_ = 0;
};

}  // namespace vitrine::store::server

#endif  // VITRINE_STORE_SERVER_SERVER_LISTENER_H_
