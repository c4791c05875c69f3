#include "client/writer_session.h"

#include "client/base/spin_lock.h"

namespace vitrine {
namespace {

// How long a child that was just forked may take to drop a descriptor.
constexpr std::chrono::milliseconds kForkPatience{500};

}  // namespace

Result<std::shared_ptr<Session>> WriterSession::Current() const {
  const auto client = client_.lock();
  if (client == nullptr) {
    return Error{Code::kGone, "the client was closed, its objects aborted"};
  }
  auto current = client->core().Current();
  if (!current) return current.error();
  if (*current != session_.lock()) {
    return Error{Code::kGone, "the store was restarted, the object aborted"};
  }
  return current;
}

Status WriterSession::Seal(const std::function<Status()>& seal) const {
  auto sealed = seal();
  if (NoForks()) return sealed;
  const Deadline deadline = Clock::now() + kForkPatience;
  Backoff backoff;
  while (!sealed && sealed.error().code == Code::kInUse &&
         Clock::now() < deadline) {
    backoff.Pause();
    sealed = seal();
  }
  return sealed;
}

bool WriterSession::NoForks() const { return forks_before_ == ForksBegun(); }

}  // namespace vitrine
