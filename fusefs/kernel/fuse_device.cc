#include "fusefs/kernel/fuse_device.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

namespace vitrine::fusefs {
namespace {

Error Unavailable(const std::string& message) {
  return Error{Code::kUnavailable, message};
}

// Empty: this process may not mount; fusermount3 may.
Result<std::optional<UniqueFd>> MountByItself(const std::string& mount_point,
                                              bool allow_other) {
  UniqueFd fd(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == EACCES || errno == EPERM) return std::optional<UniqueFd>();
    return Unavailable(std::string("/dev/fuse: ") + std::strerror(errno));
  }
  std::string options =
      "fd=" + std::to_string(fd.get()) +
      ",rootmode=40000,user_id=" + std::to_string(::geteuid()) +
      ",group_id=" + std::to_string(::getegid()) + ",default_permissions";
  if (allow_other) options += ",allow_other";
  if (::mount("vitrine", mount_point.c_str(), "fuse.vitrine",
              MS_NOSUID | MS_NODEV, options.c_str()) == 0) {
    return std::optional<UniqueFd>(std::move(fd));
  }
  if (errno == EPERM) return std::optional<UniqueFd>();
  if (errno == ENODEV) return Unavailable("this kernel has no FUSE");
  return Unavailable("mount " + mount_point + ": " + std::strerror(errno));
}

// Takes the descriptor that fusermount3 sends over `socket`.
UniqueFd ReceiveFd(int socket) {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t received = 0;
  do {
    received = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (received <= 0 || header == nullptr || header->cmsg_type != SCM_RIGHTS) {
    return UniqueFd();
  }
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  return UniqueFd(fd);
}

// The standard error output of a program, on one line.
std::string ReadMessage(int fd) {
  std::string message;
  char buffer[512];
  ssize_t size = 0;
  while ((size = ::read(fd, buffer, sizeof(buffer))) > 0) {
    message.append(buffer, static_cast<size_t>(size));
  }
  message.resize(std::min(message.find('\n'), message.size()));
  return message;
}

// The descriptors that fusermount3 is started with.
class HelperFiles {
 public:
  HelperFiles(int socket, int standard_error) {
    ::posix_spawn_file_actions_init(&actions_);
    // The duplicates are inheritable, which the originals are not.
    ::posix_spawn_file_actions_adddup2(&actions_, standard_error, 2);
    ::posix_spawn_file_actions_adddup2(&actions_, socket, 3);
  }
  HelperFiles(const HelperFiles&) = delete;
  HelperFiles& operator=(const HelperFiles&) = delete;
  ~HelperFiles() { ::posix_spawn_file_actions_destroy(&actions_); }

  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

// The environment, with the number of the socket that fusermount3 is to use.
std::vector<char*> HelperEnvironment(char* socket_variable) {
  std::vector<char*> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, "_FUSE_COMMFD=", 13) != 0) {
      variables.push_back(*entry);
    }
  }
  variables.push_back(socket_variable);
  variables.push_back(nullptr);
  return variables;
}

struct Pair {
  UniqueFd ours;
  UniqueFd its;
};

Result<Pair> MakeSockets() {
  int sockets[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
    return ErrnoError("socketpair", errno);
  }
  return Pair{UniqueFd(sockets[0]), UniqueFd(sockets[1])};
}

Result<Pair> MakePipe() {
  int pipes[2];
  if (::pipe2(pipes, O_CLOEXEC) != 0) return ErrnoError("pipe", errno);
  return Pair{UniqueFd(pipes[0]), UniqueFd(pipes[1])};
}

// Starts fusermount3.
Result<pid_t> StartHelper(const std::string& mount_point, bool allow_other,
                          int socket, int standard_error) {
  const std::string options =
      std::string(
          "rw,nosuid,nodev,fsname=vitrine,subtype=vitrine,"
          "default_permissions") +
      (allow_other ? ",allow_other" : "");
  const char* const argv[] = {
      "fusermount3", "-o", options.c_str(), "--", mount_point.c_str(), nullptr};
  char socket_variable[] = "_FUSE_COMMFD=3";
  const std::vector<char*> environment = HelperEnvironment(socket_variable);
  const HelperFiles files(socket, standard_error);
  pid_t pid = 0;
  const int error =
      ::posix_spawnp(&pid, argv[0], files.get(), nullptr,
                     const_cast<char* const*>(argv), environment.data());
  if (error != 0) {
    return Unavailable(std::string("fusermount3: ") + std::strerror(error));
  }
  return pid;
}

Result<UniqueFd> MountByHelper(const std::string& mount_point,
                               bool allow_other) {
  auto sockets = MakeSockets();
  if (!sockets) return sockets.error();
  auto complaints = MakePipe();
  if (!complaints) return complaints.error();
  const auto pid = StartHelper(mount_point, allow_other, sockets->its.get(),
                               complaints->its.get());
  if (!pid) return pid.error();
  // With these ends closed here, reads end when the helper ends.
  sockets->its = UniqueFd();
  complaints->its = UniqueFd();
  UniqueFd fd = ReceiveFd(sockets->ours.get());
  const std::string message = ReadMessage(complaints->ours.get());
  while (::waitpid(*pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (fd.valid()) return fd;
  return Unavailable(message.empty() ? "fusermount3 failed" : message);
}

}  // namespace

Result<UniqueFd> MountFuse(const std::string& mount_point, bool allow_other) {
  auto mounted = MountByItself(mount_point, allow_other);
  if (!mounted) return mounted.error();
  if (*mounted) return **std::move(mounted);
  return MountByHelper(mount_point, allow_other);
}

}  // namespace vitrine::fusefs
