#ifndef VITRINE_STORE_SERVER_SERVER_LISTENER_H_
#define VITRINE_STORE_SERVER_SERVER_LISTENER_H_

#include <sys/types.h>
#include <vitrine/result.h>

#include <string>

#include "schema/base/unique_fd.h"

namespace vitrine::store::server {

// Owns the socket that clients connect to, its name in the file system, and a
// lock on `<path>.lock` that keeps a second store from taking the name between
// our looking and our binding.  Destroying it removes both files, unless
// somebody else has put another socket there.
class ListeningSocket {
 public:
  // Makes the directory of `path` if it is missing (0755 for root, 0700 for
  // others), and replaces a socket that a killed store left.  kUnavailable: a
  // store listens there, or `path` is something else than a socket.
  // kInvalidArgument: `path` is too long for a socket.
  static Result<ListeningSocket> Bind(const std::string& path, mode_t mode);

  ListeningSocket(ListeningSocket&& other) noexcept = default;
  ListeningSocket& operator=(ListeningSocket&&) = delete;
  ~ListeningSocket();

  int fd() const { return socket_.get(); }
  const std::string& path() const { return path_; }

 private:
  explicit ListeningSocket(std::string path) : path_(std::move(path)) {}

  std::string lock_path() const { return path_ + ".lock"; }
  Status Lock();
  Status RemoveStale() const;
  Status BindAndListen(mode_t mode);

  std::string path_;
  UniqueFd lock_;    // Valid: the lock file is ours.
  UniqueFd socket_;  // Valid: bound; then dev_ and ino_ are the name's.
  dev_t dev_ = 0;
  ino_t ino_ = 0;
};

}  // namespace vitrine::store::server

#endif  // VITRINE_STORE_SERVER_SERVER_LISTENER_H_
