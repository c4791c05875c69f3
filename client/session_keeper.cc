#include "client/session_keeper.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <system_error>
#include <utility>

#include "client/base/signals_blocked.h"
#include "client/calls/connection.h"

namespace vitrine {
namespace {

constexpr int kRetryMs = 100;
// Between the attempts of a client that the store refuses for want of
// something.
constexpr int kLongestRetryMs = 3200;
// A store that accepts a connection sends its HelloReply within this time.
constexpr std::chrono::seconds kWelcomeTimeout{5};

// True: another attempt would fail in the same way.
bool IsFinal(Code code) {
  return code == Code::kVersionMismatch || code == Code::kInvalidArgument ||
         code == Code::kInterrupted || code == Code::kOverQuota;
}

Error NoStore(Code code, const std::string& reasons) {
  if (IsRefusal(code)) return Error{code, reasons};
  return Error{Code::kUnavailable, "no store answers: " + reasons};
}

// True: the store itself has said that it does not let this user in.
bool IsDenied(const Error& error) {
  return error.code == Code::kPermissionDenied;
}

}  // namespace

SessionKeeper::~SessionKeeper() {
  if (core_->IsForked()) {
    // The thread is the parent's: it cannot be joined, and the handle cannot be
    // destroyed.
    (void)thread_.release();
  } else if (thread_ != nullptr) {
    ::eventfd_write(stop_.get(), 1);  // The counter is far from full.
    thread_->join();
  }
  core_->Retire("the client is closed");
}

Status SessionKeeper::Start(const std::vector<std::string>& paths,
                            Deadline deadline) {
  {
    const ForkDelay delay;
    UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd.valid()) return ErrnoError("eventfd", errno);
    stop_ = PrivateFd(std::move(fd));
  }
  auto session = ConnectToAny(paths, deadline);
  if (!session) return session.error();
  core_->Publish(*session);
  first_session_ = std::move(*session);
  return StartThread();
}

Status SessionKeeper::StartThread() {
  const AllSignalsBlocked blocked;
  try {
    thread_ = std::make_unique<std::thread>([this] { Run(); });
  } catch (const std::system_error& error) {
    return Error{Code::kIoError,
                 std::string("cannot start a thread: ") + error.what()};
  }
  return {};
}

Result<std::shared_ptr<Session>> SessionKeeper::ConnectToAny(
    const std::vector<std::string>& paths, Deadline deadline) {
  while (true) {
    std::string reasons;
    std::optional<Error> denied;
    Code refusal = Code::kUnavailable;
    for (const std::string& path : paths) {
      auto session = Session::Open(core_, path, name_,
                                   Clock::now() + kWelcomeTimeout, stop_.get());
      if (session || IsFinal(session.error().code)) return session;
      if (IsDenied(session.error())) denied = session.error();
      if (IsRefusal(session.error().code)) refusal = session.error().code;
      reasons += (reasons.empty() ? "" : "; ") + session.error().message;
    }
    if (denied) return *denied;
    if (RemainingMs(deadline) == 0) return NoStore(refusal, reasons);
    const int64_t left_ms = RemainingMs(deadline);
    const bool soon = left_ms >= 0 && left_ms < kRetryMs;
    IsStopped(soon ? static_cast<int>(left_ms) : kRetryMs);
  }
}

bool SessionKeeper::IsStopped(int wait_ms) const {
  pollfd stop = {stop_.get(), POLLIN, 0};
  return ::poll(&stop, 1, wait_ms) > 0;
}

void SessionKeeper::Run() {
  std::shared_ptr<Session> session = std::move(first_session_);
  while (session != nullptr) {
    const Deadline not_before =
        Clock::now() + std::chrono::milliseconds(kRetryMs);
    const Error why = session->Serve(stop_.get());
    if (why.code == Code::kInterrupted) return;
    core_->Retire("the store at " + session->path() +
                  " went away: " + why.message);
    // Do not ask a store that hangs up at once without a pause.
    if (IsStopped(PollTimeoutMs(not_before))) return;
    session = Reconnect(std::string(session->path()));
  }
}

std::shared_ptr<Session> SessionKeeper::Reconnect(const std::string& path) {
  int retry_ms = kRetryMs;
  while (true) {
    auto session = Session::Open(core_, path, name_,
                                 Clock::now() + kWelcomeTimeout, stop_.get());
    if (session) {
      core_->Publish(*session);
      return *session;
    }
    if (session.error().code == Code::kInterrupted) return nullptr;
    core_->SetWhy("the store at " + path +
                  " went away: " + session.error().message);
    if (IsDenied(session.error())) return nullptr;
    const bool refused = IsRefusal(session.error().code);
    retry_ms = refused ? std::min(retry_ms * 2, kLongestRetryMs) : kRetryMs;
    if (IsStopped(retry_ms)) return nullptr;
  }
}

}  // namespace vitrine
