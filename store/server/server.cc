#include "store/server/server.h"

#include <system_error>
#include <thread>
#include <utility>

#include "store/base/thread_setup.h"
#include "store/base/worker_pool.h"
#include "store/server/server_core.h"
#include "store/server/server_events.h"
#include "store/server/server_listener.h"
#include "store/server/server_loop.h"
#include "store/server/server_metrics.h"
#include "store/server/server_stats.h"
#include "store/server/submissions.h"

namespace vitrine::store {
namespace {

constexpr size_t kWorkerThreads = 2;

}  // namespace

// The server's threads, and the store's events on their way to the loop.
class Server::Impl final : public Observer {
 public:
  Impl(Store* store, Catalog* catalog, std::shared_ptr<server::EventLoop> loop,
       std::unique_ptr<WorkerPool> workers,
       std::unique_ptr<Submissions> submissions,
       server::ListeningSocket listener, const Access& access)
      : store_(store),
        loop_(std::move(loop)),
        workers_(std::move(workers)),
        submissions_(std::move(submissions)),
        socket_path_(listener.path()),
        core_({.store = store,
               .catalog = catalog,
               .loop = loop_,
               .workers = workers_.get(),
               .submissions = submissions_.get(),
               .stats = &stats_,
               .access = access},
              std::move(listener)) {}
  ~Impl() override { Stop(); }

  Status Start();
  void OnEvent(const ObjectEvent& event) override;
  StatusSection GetStatus() const;

 private:
  void Stop();

  Store* const store_;
  const std::shared_ptr<server::EventLoop> loop_;
  const std::unique_ptr<WorkerPool> workers_;
  const std::unique_ptr<Submissions> submissions_;
  const std::string socket_path_;
  server::ServerStats stats_;
  server::EventQueue events_;
  server::ServerCore core_;
  std::thread thread_;
};

Status Server::Impl::Start() {
  if (Status started = core_.Start(); !started) return started;
  store_->events().AddObserver(this);
  store_->facts().SetStatusSource("server", [this] { return GetStatus(); });
  try {
    thread_ = std::thread([this] {
      SetUpThread("vitrine-server", ThreadPriority::kNormal);
      loop_->Run();
    });
  } catch (const std::system_error& error) {
    return Error{Code::kUnavailable,
                 std::string("cannot start a thread: ") + error.what()};
  }
  return {};
}

// Callbacks that the store makes later post to the loop, or find it closed.
void Server::Impl::Stop() {
  store_->facts().SetStatusSource("server", nullptr);
  store_->events().RemoveObserver(this);
  loop_->Stop();
  if (thread_.joinable()) thread_.join();
  core_.CloseAll();
  workers_->Shutdown();
  loop_->Close();
}

// Called with the object table locked.  A wait or subscription that is added
// right after the check below reads the table later, and sees the event's
// effect there.
void Server::Impl::OnEvent(const ObjectEvent& event) {
  if (stats_.waits == 0 && stats_.subscriptions == 0) return;
  if (!events_.Push(event)) return;
  loop_->Post([this] { core_.OnStoreEvents(events_.Take()); });
}

StatusSection Server::Impl::GetStatus() const {
  return server::ServerSection(
      {.socket_path = socket_path_,
       .waits = stats_.waits + store_->events().clients().CountWaiters(),
       .tasks_queued = workers_->queued()},
      stats_, submissions_->Count());
}

Result<std::unique_ptr<Server>> Server::Start(Store* store,
                                              const std::string& socket_path,
                                              mode_t socket_mode,
                                              Catalog* catalog,
                                              const Access& access) {
  auto loop = server::EventLoop::Create();
  if (!loop) return loop.error();
  auto workers = WorkerPool::Start(kWorkerThreads);
  if (!workers) return workers.error();
  auto submissions = Submissions::Start(store);
  if (!submissions) return submissions.error();
  auto listener =
      server::ListeningSocket::Bind(socket_path, socket_mode, access.group);
  if (!listener) return listener.error();
  auto impl = std::make_unique<Impl>(
      store, catalog, std::move(*loop), std::move(*workers),
      std::move(*submissions), std::move(*listener), access);
  if (Status started = impl->Start(); !started) return started.error();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() = default;

StatusSection Server::GetStatus() const { return impl_->GetStatus(); }

}  // namespace vitrine::store
