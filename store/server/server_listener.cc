#include "store/server/server_listener.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <vector>

#include "schema/packet_socket.h"
#include "store/server/server_peer.h"

namespace vitrine::store::server {
namespace {

constexpr int kBacklog = 1024;

// Makes the directories that are missing above `path`.
Status MakeParentDirs(const std::string& path, mode_t socket_mode) {
  namespace fs = std::filesystem;
  std::vector<fs::path> missing;
  std::error_code ignored;  // A failure counts as missing.
  for (fs::path dir = fs::path(path).parent_path();
       !dir.empty() && !fs::exists(dir, ignored); dir = dir.parent_path()) {
    missing.push_back(dir);
  }
  const bool open = ::geteuid() == 0 || (socket_mode & 0077) != 0;
  const mode_t mode = open ? 0755 : 0700;
  for (auto dir = missing.rbegin(); dir != missing.rend(); ++dir) {
    if (::mkdir(dir->c_str(), mode) != 0 && errno != EEXIST) {
      return ErrnoError("make the directory " + dir->string(), errno);
    }
  }
  return {};
}

bool SomebodyListens(const std::string& path) {
  const auto address = MakeSocketAddress(path);
  UniqueFd probe(
      ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!address || !probe.valid()) return true;
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&*address),
                   sizeof(*address)) == 0 ||
         errno != ECONNREFUSED;
}

Error InUseError(const std::string& path) {
  return Error{Code::kUnavailable, "another store listens at " + path};
}

}  // namespace

Result<ListeningSocket> ListeningSocket::Bind(const std::string& path,
                                              mode_t mode,
                                              std::optional<gid_t> group) {
  if (auto address = MakeSocketAddress(path); !address) return address.error();
  if (Status made = MakeParentDirs(path, mode); !made) return made.error();
  ListeningSocket listener(path);
  auto lock = OwnedLock::Take(path + ".lock", "listens at " + path);
  if (!lock) return lock.error();
  listener.lock_ = *std::move(lock);
  if (Status removed = listener.RemoveStale(); !removed) return removed.error();
  if (Status bound = listener.BindAndListen(mode, group); !bound)
    return bound.error();
  return listener;
}

ListeningSocket::~ListeningSocket() {
  struct stat named {};
  if (socket_.valid() && ::lstat(path_.c_str(), &named) == 0 &&
      named.st_dev == dev_ && named.st_ino == ino_) {
    ::unlink(path_.c_str());
  }
}

Status ListeningSocket::RemoveStale() const {
  struct stat named {};
  if (::lstat(path_.c_str(), &named) != 0) {
    if (errno == ENOENT) return {};
    return ErrnoError("stat " + path_, errno);
  }
  if (!S_ISSOCK(named.st_mode)) {
    return Error{Code::kUnavailable, path_ + " exists and is not a socket"};
  }
  // A store may be alive although its lock file was removed.  Only a socket
  // without an owner refuses connections.
  if (SomebodyListens(path_)) return InUseError(path_);
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT) {
    return ErrnoError("remove " + path_, errno);
  }
  return {};
}

Status ListeningSocket::BindAndListen(mode_t mode, std::optional<gid_t> group) {
  const auto address = MakeSocketAddress(path_);
  if (!address) return address.error();
  UniqueFd fd(
      ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoError("socket", errno);
  RefuseDescriptors(fd.get());
  // No other user connects before chmod: bind(2) makes the name with the mode
  // of the socket.
  if (::fchmod(fd.get(), 0600) != 0) return ErrnoError("fchmod socket", errno);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address),
             sizeof(*address)) != 0) {
    return ErrnoError("bind " + path_, errno);
  }
  struct stat named {};
  if (::lstat(path_.c_str(), &named) != 0) {
    return ErrnoError("stat " + path_, errno);
  }
  dev_ = named.st_dev;
  ino_ = named.st_ino;
  socket_ = std::move(fd);
  if (group && ::chown(path_.c_str(), static_cast<uid_t>(-1), *group) != 0) {
    return ErrnoError("give " + path_ + " to the group", errno);
  }
  if (::chmod(path_.c_str(), mode) != 0) {
    return ErrnoError("chmod " + path_, errno);
  }
  if (::listen(socket_.get(), kBacklog) != 0) {
    return ErrnoError("listen at " + path_, errno);
  }
  return {};
}

}  // namespace vitrine::store::server
