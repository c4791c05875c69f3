#include "store/server/server_waits.h"

#include <algorithm>
#include <utility>

namespace vitrine::store::server {

void WaitTable::Start(uint64_t waiter, Request request, Finish finish) {
  Wait& wait = waits_[waiter];
  stats_->waits = waits_.size();  // From here on events come here.
  wait.request = std::move(request);
  wait.finish = std::move(finish);
  for (const ObjectId& id : wait.request.ids) {
    wait.states.emplace(id, State::kPending);
    waiters_[id].insert(waiter);
  }
  for (auto& [id, state] : wait.states) {
    Note(&wait, id, Look(id, wait.request.stop_when_gone));
  }
  const Deadline deadline = wait.request.deadline;
  if (IsOver(wait) || deadline <= EventLoop::Clock::now()) return End(waiter);
  if (deadline == Deadline::max()) return;
  wait.timer = loop_->StartTimer(deadline, [this, waiter] { End(waiter); });
}

void WaitTable::Cancel(uint64_t waiter) {
  auto node = waits_.extract(waiter);
  if (!node.empty()) Forget(waiter, node.mapped());
}

void WaitTable::OnEvent(const ObjectEvent& event) {
  switch (event.kind) {
    case ObjectEventKind::kSealed:
      Tell(event.info.id, State::kSealed);
      [[fallthrough]];
    case ObjectEventKind::kRenamed:
      if (event.old_id != event.info.id) TellIfGone(event.old_id);
      return;
    case ObjectEventKind::kAborted:
      return TellIfGone(event.info.id);
    case ObjectEventKind::kCreated:
    case ObjectEventKind::kDeleted:
    case ObjectEventKind::kEvicted:
    case ObjectEventKind::kHoldChanged:
    case ObjectEventKind::kMoved:
      return;
  }
}

void WaitTable::LookAgain() {
  std::vector<ObjectId> ids;
  ids.reserve(waiters_.size());
  for (const auto& [id, waiters] : waiters_) ids.push_back(id);
  for (const ObjectId& id : ids) Tell(id, Look(id, /*want_gone=*/true));
}

bool WaitTable::IsOver(const Wait& wait) const {
  const size_t need = wait.request.need;
  const size_t distinct = wait.states.size();
  return wait.sealed >= (need == 0 ? distinct : std::min(need, distinct)) ||
         wait.gone;
}

WaitTable::State WaitTable::Look(const ObjectId& id, bool want_gone) {
  // Asks first for unsealed objects: one that is sealed between the two
  // requests is then found by one of them.
  const bool created =
      want_gone && store_->unsealed().FindUnsealed(id).has_value();
  if (store_->sealed().FindSealed(id)) return State::kSealed;
  return want_gone && !created ? State::kGone : State::kPending;
}

void WaitTable::Note(Wait* wait, const ObjectId& id, State state) {
  State& known = wait->states.at(id);
  if (known == State::kSealed || state == State::kPending) return;
  // The other waits go on: a client may still create it.
  if (state == State::kGone && !wait->request.stop_when_gone) return;
  if (state == State::kSealed) ++wait->sealed;
  if (state == State::kGone) wait->gone = true;
  known = state;
}

void WaitTable::Tell(const ObjectId& id, State state) {
  const auto found = waiters_.find(id);
  if (found == waiters_.end()) return;
  const std::vector<uint64_t> waiters(found->second.begin(),
                                      found->second.end());
  for (const uint64_t waiter : waiters) {
    const auto wait = waits_.find(waiter);
    if (wait == waits_.end()) continue;
    Note(&wait->second, id, state);
    if (IsOver(wait->second)) End(waiter);
  }
}

void WaitTable::TellIfGone(const ObjectId& id) {
  if (waiters_.contains(id) && Look(id, true) == State::kGone) {
    Tell(id, State::kGone);
  }
}

void WaitTable::End(uint64_t waiter) {
  auto node = waits_.extract(waiter);
  if (node.empty()) return;
  const Wait& wait = node.mapped();
  Forget(waiter, wait);
  std::vector<State> states;
  states.reserve(wait.request.ids.size());
  for (const ObjectId& id : wait.request.ids) {
    states.push_back(wait.states.at(id));
  }
  wait.finish(states);
}

void WaitTable::Forget(uint64_t waiter, const Wait& wait) {
  stats_->waits = waits_.size();
  loop_->CancelTimer(wait.timer);
  for (const auto& [id, state] : wait.states) {
    const auto found = waiters_.find(id);
    if (found == waiters_.end()) continue;
    found->second.erase(waiter);
    if (found->second.empty()) waiters_.erase(found);
  }
}

}  // namespace vitrine::store::server
