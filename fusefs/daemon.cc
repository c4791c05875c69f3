#include "fusefs/daemon.h"

#include <spdlog/spdlog.h>
#include <unistd.h>
#include <vitrine/version.h>

#include <utility>

#include "fusefs/places.h"
#include "schema/base/size.h"

namespace vitrine::fusefs {
namespace {

// A store of root's serves all users and checks the rights of each.  Memory
// that others fill counts for the user who runs the store, so a store of an
// ordinary user serves only that user, unless the options admit others.
mode_t SocketMode(const store::Access& access) {
  const bool for_all = ::geteuid() == 0 || access.has_list();
  return access.socket_mode.value_or(for_all ? 0666 : 0600);
}

}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::Start(const DaemonOptions& options) {
  if (Status ok = CheckPlaces(options); !ok) return ok.error();
  std::unique_ptr<Daemon> daemon(new Daemon(options));
  auto store = Store::Open(options.store);
  if (!store) return store.error();
  daemon->store_ = *std::move(store);
  Status started = daemon->StartMount();
  if (started) started = daemon->StartServer();
  if (!started) {
    daemon->store_->AbandonStart();
    return started.error();
  }
  daemon->traces_.Keep();
  return daemon;
}

Daemon::Daemon(const DaemonOptions& options)
    : options_(options), traces_(options) {}

Daemon::~Daemon() {
  server_.reset();
  if (mount_ != nullptr) store_->facts().SetStatusSource("mount", nullptr);
}

Status Daemon::StartMount() {
  if (options_.mount_dir.empty()) return {};
  if (Status made = traces_.MakeMountDir(); !made) return made;
  auto mount = Mount::Start(store_.get(),
                            {.mount_point = options_.mount_dir,
                             .passthrough = options_.passthrough,
                             .access = options_.store.access,
                             .on_unmounted = [dir = options_.mount_dir] {
                               spdlog::warn(
                                   "somebody has unmounted {}; the socket is "
                                   "still served",
                                   dir);
                             }});
  if (!mount) return mount.error();
  mount_ = *std::move(mount);
  // Not through mount_: a status request may run while mount_ is destroyed.
  store_->facts().SetStatusSource(
      "mount", [mounted = mount_.get()] { return mounted->GetStatus(); });
  return {};
}

Status Daemon::StartServer() {
  const store::Access& access = options_.store.access;
  auto server = store::Server::Start(store_.get(), options_.socket_path,
                                     SocketMode(access),
                                     store_->events().catalog(), access);
  if (!server) return server.error();
  server_ = *std::move(server);
  return {};
}

std::string Daemon::ReadyLine() const {
  std::string line = "vitrined ";
  line += Version();
  line += " ready: " + FormatSize(store_->facts().GetUsage().capacity_bytes) +
          " in " + store_->facts().DescribeMemory();
  if (mount_ != nullptr) {
    line +=
        ", mount " + mount_->mount_point() + " (" + mount_->Describe() + ")";
  } else {
    line += ", no mount (no --mount)";
  }
  line += ", socket " + options_.socket_path + ", state " +
          options_.store.state_dir;
  const std::string restart = store_->facts().DescribeRestart();
  if (!restart.empty()) line += "; of a killed store: " + restart;
  return line;
}

}  // namespace vitrine::fusefs
