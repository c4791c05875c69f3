#include "client/client_impl.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <utility>

namespace vitrine {
namespace {

// Used if the process's umask cannot be read: only its user may read its
// objects.
constexpr mode_t kStrictUmask = 077;

// Added to the time, this cannot overflow.
constexpr std::chrono::microseconds kLongestSpin = std::chrono::hours(1);

// Not by umask(2), which would change the umask of all threads for a moment.
mode_t ReadUmask() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    if (word != "Umask:") continue;
    mode_t umask = kStrictUmask;
    if (status >> std::oct >> umask) return umask & 0777;
  }
  return kStrictUmask;
}

std::vector<std::string> PathsToTry(const ConnectOptions& options) {
  if (!options.socket_path.empty()) return {options.socket_path};
  std::vector<std::string> paths = {DefaultSocketPath()};
  const char* const chosen = std::getenv("VITRINE_SOCKET");
  const bool is_chosen = chosen != nullptr && *chosen != '\0';
  if (!is_chosen && paths[0] != SystemSocketPath()) {
    paths.push_back(SystemSocketPath());
  }
  return paths;
}

}  // namespace

Result<std::shared_ptr<ClientImpl>> ClientImpl::Connect(
    const ConnectOptions& options) {
  if (options.spin.count() < 0) {
    return Error{Code::kInvalidArgument, "spinning for less than nothing"};
  }
  std::shared_ptr<ClientImpl> impl(new ClientImpl(
      std::make_shared<ClientCore>(std::min(options.spin, kLongestSpin)),
      options, ReadUmask()));
  auto connected =
      impl->keeper_.Start(PathsToTry(options), DeadlineAfter(options.timeout));
  if (!connected) return connected.error();
  return impl;
}

}  // namespace vitrine
