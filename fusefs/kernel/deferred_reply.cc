#include "fusefs/kernel/deferred_reply.h"

#include <cerrno>
#include <utility>
#include <vector>

#include "fusefs/kernel/fuse_session.h"

namespace vitrine::fusefs {

void DeferredReply::Answer(Reply reply) {
  uint64_t token = 0;
  {
    MutexLock lock(mutex_);
    if (state_ == State::kAnswered) return;
    if (state_ == State::kStarting) {
      if (!early_) early_ = std::move(reply);
      return;
    }
    state_ = State::kAnswered;
    on_interrupt_ = nullptr;
    token = token_;
  }
  reply(request_);
  all_->Remove(token);  // Last: after it, CancelAll may return.
}

bool DeferredReply::Claim() {
  MutexLock lock(mutex_);
  if (claimed_ || state_ == State::kAnswered || early_) return false;
  claimed_ = true;
  return true;
}

void DeferredReply::Park(bool interruptible,
                         std::function<void()> on_interrupt) {
  Reply early;
  {
    MutexLock lock(mutex_);
    early = std::move(early_);
    early_ = nullptr;
    if (early) state_ = State::kAnswered;
    on_interrupt_ = std::move(on_interrupt);
  }
  if (early) return early(request_);
  const uint64_t token = all_->Add(shared_from_this());
  // No thread replies until the state changes, so the request is alive here.
  if (interruptible) {
    fuse_req_interrupt_func(request_, DeferredReplies::OnInterrupt,
                            reinterpret_cast<void*>(token));
  }
  {
    MutexLock lock(mutex_);
    token_ = token;
    early = std::move(early_);
    early_ = nullptr;
    state_ = early ? State::kAnswered : State::kParked;
  }
  if (!early) return;
  early(request_);
  all_->Remove(token);
}

void DeferredReply::Interrupt() {
  std::function<void()> on_interrupt;
  {
    MutexLock lock(mutex_);
    if (claimed_ || state_ == State::kAnswered) return;
    on_interrupt = std::move(on_interrupt_);
    on_interrupt_ = nullptr;
  }
  if (on_interrupt) on_interrupt();
  Cancel(EINTR);
}

void DeferredReply::Cancel(int error) {
  if (!Claim()) return;
  Answer([error](fuse_req_t request) { fuse_reply_err(request, error); });
}

void DeferredReplies::OnInterrupt(fuse_req_t request, void* token) {
  auto* session = static_cast<FuseSession*>(fuse_req_userdata(request));
  const auto reply = session->replies().Find(reinterpret_cast<uint64_t>(token));
  if (reply) reply->Interrupt();
}

uint64_t DeferredReplies::Add(std::shared_ptr<DeferredReply> reply) {
  MutexLock lock(mutex_);
  parked_.emplace(++last_, std::move(reply));
  return last_;
}

void DeferredReplies::Remove(uint64_t token) {
  std::shared_ptr<DeferredReply> dropped;
  MutexLock lock(mutex_);
  const auto it = parked_.find(token);
  if (it == parked_.end()) return;
  dropped = std::move(it->second);
  parked_.erase(it);
  if (parked_.empty()) none_left_.NotifyAll();
}

std::shared_ptr<DeferredReply> DeferredReplies::Find(uint64_t token) const {
  MutexLock lock(mutex_);
  const auto it = parked_.find(token);
  return it == parked_.end() ? nullptr : it->second;
}

void DeferredReplies::CancelAll(int error) {
  std::vector<std::shared_ptr<DeferredReply>> all;
  {
    MutexLock lock(mutex_);
    for (const auto& [token, reply] : parked_) all.push_back(reply);
  }
  for (const auto& reply : all) reply->Cancel(error);
  // Claimed requests are being answered now.
  MutexLock lock(mutex_);
  while (!parked_.empty()) none_left_.Wait(mutex_);
}

size_t DeferredReplies::size() const {
  MutexLock lock(mutex_);
  return parked_.size();
}

}  // namespace vitrine::fusefs
