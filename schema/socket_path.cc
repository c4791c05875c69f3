#include <unistd.h>
#include <vitrine/socket_path.h>

#include <cstdlib>

namespace vitrine {

std::string DefaultSocketPath() {
  const char* set = std::getenv("VITRINE_SOCKET");
  return set != nullptr && *set != '\0' ? set : UserSocketPath();
}

std::string UserSocketPath() {
  if (::geteuid() == 0) return SystemSocketPath();
  const char* runtime_dir = std::getenv("XDG_RUNTIME_DIR");
  if (runtime_dir != nullptr && *runtime_dir != '\0') {
    return std::string(runtime_dir) + "/vitrine.sock";
  }
  return "/tmp/vitrine-" + std::to_string(::geteuid()) + "/vitrine.sock";
}

std::string SystemSocketPath() { return "/run/vitrine/vitrine.sock"; }

}  // namespace vitrine
