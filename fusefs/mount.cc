#include "fusefs/mount.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>
#include <utility>

#include "fusefs/files/file_system.h"
#include "fusefs/kernel/deferred_reply.h"
#include "fusefs/kernel/fuse_session.h"
#include "fusefs/kernel/mount_point.h"
#include "fusefs/ops.h"

namespace vitrine::fusefs {
namespace {

// An unnamed file in the memory directory, to try passthrough with.
Result<UniqueFd> OpenProbeFile(const std::string& memory_dir) {
  std::string path = memory_dir + "/probe-XXXXXX";
  UniqueFd fd(::mkostemp(path.data(), O_CLOEXEC));
  if (!fd.valid()) return ErrnoError("probe file " + path, errno);
  ::unlink(path.c_str());
  return fd;
}

// No request waits in its thread, so a few are enough.
size_t ThreadCount() {
  return std::clamp<size_t>(2 * std::thread::hardware_concurrency(), 4, 16);
}

struct MountFacts {
  std::string mount_point;
  std::string mode;
  bool passthrough;
  uint64_t parked_requests;
};

constexpr MetricOf<MountFacts> kMountMetrics[] = {
    store::Info<&MountFacts::mount_point>("mount_point",
                                          "Where the store is mounted."),
    store::Info<&MountFacts::mode>(
        "mode", "How the kernel reads objects, and why not otherwise."),
    store::Gauge<&MountFacts::passthrough>(
        "passthrough", "Whether the kernel reads objects without the store."),
    store::Gauge<&MountFacts::parked_requests>(
        "parked_requests", "Requests whose answer comes later.")};

}  // namespace

struct Mount::Parts {
  Store* store = nullptr;
  DeferredReplies replies;
  std::unique_ptr<FuseSession> session;
  std::shared_ptr<FileSystem> files;
};

Mount::Mount(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Result<std::unique_ptr<Mount>> Mount::Start(Store* store,
                                            const MountOptions& options) {
  const auto mount_point = PrepareMountPoint(options.mount_point);
  if (!mount_point) return mount_point.error();
  const auto probe = OpenProbeFile(store->facts().memory_dir());
  if (!probe) return probe.error();
  auto session =
      FuseSession::Mount(MountOps(), {*mount_point, options.passthrough,
                                      probe->get(), options.access.has_list()});
  if (!session) return session.error();
  auto parts = std::make_unique<Parts>();
  parts->store = store;
  parts->session = *std::move(session);
  parts->files =
      FileSystem::Make(store, parts->session.get(),
                       parts->session->passthrough(), options.access);
  store->events().AddObserver(parts->files.get());
  parts->session->Serve(parts->files.get(), &parts->replies, ThreadCount(),
                        options.on_unmounted);
  return std::unique_ptr<Mount>(new Mount(std::move(parts)));
}

Mount::~Mount() {
  // The order matters: the notifier may wait for requests, which the session's
  // threads answer.  Parked requests end before the session is destroyed.
  parts_->store->events().RemoveObserver(parts_->files.get());
  parts_->files->StopNotifying();
  parts_->session->Stop();
  parts_->replies.CancelAll(ENOTCONN);
  parts_->files->Shutdown();
}

bool Mount::passthrough() const { return parts_->session->passthrough(); }

const std::string& Mount::mount_point() const {
  return parts_->session->mount_point();
}

std::string Mount::Describe() const {
  const FuseSession& session = *parts_->session;
  std::string text = session.passthrough()
                         ? "passthrough"
                         : "page cache (" + session.why_not() + ")";
  if (!session.allow_other()) {
    text += ", for this user only (no user_allow_other in /etc/fuse.conf)";
  }
  return text;
}

StatusSection Mount::GetStatus() const {
  StatusSection section = parts_->files->GetStatus();
  section.Add(kMountMetrics, {.mount_point = mount_point(),
                              .mode = Describe(),
                              .passthrough = passthrough(),
                              .parked_requests = parts_->replies.size()});
  section.families.push_back(parts_->session->counts().GetStatus());
  return section;
}

}  // namespace vitrine::fusefs
