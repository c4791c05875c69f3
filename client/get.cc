// Get and Contains, by the index; Want, for an object that is elsewhere; waits
// in the store.
#include <utility>

#include "client/base/spin_lock.h"
#include "client/client_impl.h"

namespace vitrine {
namespace {

using Outcome = ClientCore::Outcome;

// A slot is busy for microseconds, unless the store died meanwhile (then the
// session ends) or was stopped.
constexpr std::chrono::seconds kBusyPatience{5};

// Repeats `attempt` while the object's slot is busy.
template <typename Function>
ClientCore::Attempt UntilNotBusy(const Function& attempt) {
  ClientCore::Attempt result = attempt();
  if (result.outcome != Outcome::kBusy) return result;
  const Deadline deadline = Clock::now() + kBusyPatience;
  Backoff backoff;
  while (result.outcome == Outcome::kBusy && Clock::now() < deadline) {
    backoff.Pause();
    result = attempt();
  }
  return result;
}

Error Stuck(const ObjectId& id) {
  return Error{Code::kTimeout, "the store is stuck with '" + id.text() + "'"};
}

Error NotThere(const ObjectId& id, Timeout timeout) {
  if (timeout <= kPoll) {
    return Error{Code::kNotFound, "'" + id.text() + "' is not sealed"};
  }
  return Error{Code::kTimeout, "'" + id.text() + "' was not sealed in time"};
}

}  // namespace

Result<std::optional<Object>> ClientImpl::GetNow(const ObjectId& id,
                                                 Deadline back_by) {
  auto attempt = UntilNotBusy([&] { return core_->TryGet(id); });
  Backoff backoff;
  // The object may be evicted again before it is found in the index.
  while (attempt.outcome == Outcome::kElsewhere) {
    if (Status ok = Want(id, back_by); !ok) return ok.error();
    backoff.Pause();
    attempt = UntilNotBusy([&] { return core_->TryGet(id); });
    if (RemainingMs(back_by) == 0) break;
  }
  switch (attempt.outcome) {
    case Outcome::kGot:
      return std::optional<Object>(Object(std::move(attempt.object)));
    case Outcome::kAbsent:
      return std::optional<Object>();
    case Outcome::kFailed:
      return std::move(attempt.error);
    case Outcome::kElsewhere:
      return Error{Code::kTimeout,
                   "'" + id.text() + "' did not come back into memory in time"};
    default:
      return Stuck(id);
  }
}

Result<Object> ClientImpl::Get(const ObjectId& id, Timeout timeout) {
  auto attempt = core_->TryGet(id);
  if (attempt.outcome == Outcome::kGot) {
    return Object(std::move(attempt.object));
  }
  const Deadline deadline = DeadlineAfter(timeout);
  const Deadline back_by = ReturnDeadline(timeout);
  Backoff backoff;
  while (true) {
    auto object = GetNow(id, back_by);
    if (!object) return object.error();
    if (object->has_value()) return std::move(**object);
    if (RemainingMs(deadline) == 0) return NotThere(id, timeout);
    auto waited = AwaitSeal(id, deadline);
    if (!waited) return waited.error();
    // The object may go again before it is found in the index.
    backoff.Pause();
  }
}

// The only message of a get.  The store answers when the object is in memory,
// or says why it cannot come.
Status ClientImpl::Want(const ObjectId& id, Deadline deadline) {
  auto session = core_->Current();
  if (!session) return session.error();
  protocol::WantT want;
  want.id = id.text();
  want.timeout_ms = RemainingMs(deadline);
  auto answer =
      (*session)->calls().Ask<protocol::Done>(std::move(want), deadline);
  if (answer || answer.error().code == Code::kNotFound) return {};
  return answer.error();
}

Status ClientImpl::AwaitSeal(const ObjectId& id, Deadline deadline) {
  auto session = core_->Current();
  if (!session) return session.error();
  const auto outcome =
      (*session)->waits().Await(id.text(), core_->spin(), deadline);
  if (outcome != IndexWaits::Outcome::kEnded) return {};
  return Error{Code::kDisconnected,
               "the store at " + (*session)->path() + " went away"};
}

Result<bool> ClientImpl::Contains(const ObjectId& id) {
  IndexReader::Entry entry;
  auto attempt = UntilNotBusy([&] { return core_->TryFind(id, &entry); });
  if (attempt.outcome == Outcome::kFailed) return std::move(attempt.error);
  if (attempt.outcome == Outcome::kBusy) return Stuck(id);
  return attempt.outcome == Outcome::kGot ||
         attempt.outcome == Outcome::kElsewhere;
}

Result<std::vector<protocol::WaitState>> ClientImpl::WaitInStore(
    std::vector<std::string> ids, size_t need, Deadline deadline,
    bool stop_when_gone) {
  auto session = core_->Current();
  if (!session) return session.error();
  const size_t count = ids.size();
  protocol::WaitT wait;
  wait.ids = std::move(ids);
  wait.need = static_cast<uint32_t>(need);
  wait.timeout_ms = RemainingMs(deadline);
  wait.stop_when_gone = stop_when_gone;
  auto answer =
      (*session)->calls().Ask<protocol::WaitReply>(std::move(wait), deadline);
  if (!answer) return answer.error();
  const auto* states = (*answer)->states();
  if (states == nullptr || states->size() != count) {
    return Error{Code::kCorruption, "the store answered for other ids"};
  }
  std::vector<protocol::WaitState> result;
  for (const auto state : *states) {
    result.push_back(static_cast<protocol::WaitState>(state));
  }
  return result;
}

}  // namespace vitrine
