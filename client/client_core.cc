#include "client/client_core.h"

#include <utility>

namespace vitrine {

Status ClientCore::CheckFork() const {
  if (!IsForked()) return {};
  return Error{Code::kForked, "the client was connected before the fork"};
}

Result<std::shared_ptr<Session>> ClientCore::Current() {
  auto own = CheckFork();
  if (!own) return own.error();
  MutexLock lock(mutex_);
  if (current_ == nullptr) return Error{Code::kDisconnected, why_};
  return current_;
}

HeldSession ClientCore::Hold() {
  if (IsForked()) return {};
  const size_t mine = MyStripe();
  SpinLockHolder lock(stripes_[mine].lock);
  Session* const session = stripes_[mine].session;
  if (session == nullptr) return {};
  SessionStripe& own = session->stripe(mine);
  own.AssertLocked();  // The very lock that is held.
  ++own.in_hand;
  return HeldSession(session, mine);
}

void ClientCore::Publish(const std::shared_ptr<Session>& session) {
  MutexLock lock(mutex_);
  current_ = session;
  for (size_t i = 0; i < stripes_.size(); ++i) {
    SessionStripe& own = session->stripe(i);
    SpinLockHolder stripe_lock(own.lock());
    own.keep_alive = session;
  }
  for (ClientStripe& stripe : stripes_) {
    SpinLockHolder stripe_lock(stripe.lock);
    stripe.session = session.get();
  }
}

void ClientCore::Retire(const std::string& why) {
  auto ending = Current();
  if (ending) (*ending)->EndRing(why);
  std::shared_ptr<Session> retired;
  {
    MutexLock lock(mutex_);
    why_ = why;
    retired = std::move(current_);
    for (ClientStripe& stripe : stripes_) {
      SpinLockHolder stripe_lock(stripe.lock);
      stripe.session = nullptr;
    }
  }
  if (retired != nullptr) retired->Retire();
}

void ClientCore::SetWhy(const std::string& why) {
  MutexLock lock(mutex_);
  why_ = why;
}

void ClientCore::Add(Session* session) {
  MutexLock lock(mutex_);
  sessions_.push_back(session);
}

void ClientCore::Remove(Session* session) {
  MutexLock lock(mutex_);
  std::erase(sessions_, session);
}

// Steps 1 and 2 of the index's reader.
ClientCore::Outcome ClientCore::FindIn(const Session& session,
                                       const ObjectId& id,
                                       IndexReader::Entry* entry) {
  switch (session.index().Find(id.text(), entry)) {
    case IndexReader::Outcome::kFound:
      return Outcome::kGot;
    case IndexReader::Outcome::kAbsent:
      return Outcome::kAbsent;
    case IndexReader::Outcome::kElsewhere:
      return Outcome::kElsewhere;
    case IndexReader::Outcome::kBusy:
      return Outcome::kBusy;
    case IndexReader::Outcome::kCorrupt:
      return Outcome::kCorrupt;
  }
  return Outcome::kCorrupt;
}

ClientCore::Attempt ClientCore::Explain(Outcome outcome) {
  if (outcome == Outcome::kCorrupt) {
    return Failed(Error{Code::kCorruption, "the index makes no sense"});
  }
  if (outcome != Outcome::kDisconnected) return Attempt{outcome, nullptr};
  auto current = Current();
  if (!current) return Failed(current.error());
  return Attempt{Outcome::kBusy, nullptr};  // It is back already.
}

ClientCore::Attempt ClientCore::Failed(Error error) {
  return Attempt{Outcome::kFailed, nullptr, std::move(error)};
}

ClientCore::Attempt ClientCore::TryGet(const ObjectId& id) {
  if (IsForked()) return Explain(Outcome::kDisconnected);
  const size_t mine = MyStripe();
  IndexReader::Entry entry;
  auto object = std::make_shared<MappedObject>();
  Outcome outcome = HoldIn(mine, id, Pinning::kPin, &entry, object.get());
  for (size_t i = 1; outcome == Outcome::kNoPin && i < kPageStripes; ++i) {
    outcome = HoldIn((mine + i) % kPageStripes, id, Pinning::kPin, &entry,
                     object.get());
  }
  Pinning pinning = Pinning::kPin;
  if (outcome == Outcome::kNoPin) {
    // A mapping alone is enough: the store drops no segment that is mapped,
    // as it asks the kernel.
    pinning = Pinning::kMappingOnly;
    outcome = HoldIn(mine, id, pinning, &entry, object.get());
  }
  if (outcome != Outcome::kGot) return Explain(outcome);
  return Finish(entry, id, pinning, std::move(object));
}

// Steps 1 to 4 of the index's reader, in one stripe.
ClientCore::Outcome ClientCore::HoldIn(size_t number, const ObjectId& id,
                                       Pinning pinning,
                                       IndexReader::Entry* entry,
                                       MappedObject* object) {
  SpinLockHolder lock(stripes_[number].lock);
  Session* const session = stripes_[number].session;
  if (session == nullptr) return Outcome::kDisconnected;
  const Outcome found = FindIn(*session, id, entry);
  if (found != Outcome::kGot) return found;
  SessionStripe& own = session->stripe(number);
  own.AssertLocked();  // The very lock that is held.
  int pin = SessionStripe::kNoPin;
  if (pinning == Pinning::kPin) {
    pin = own.Pin(entry->slot, SlotGeneration(entry->word));
    if (pin == SessionStripe::kNoPin) return Outcome::kNoPin;
  }
  LocalSegment* const segment =
      entry->size_bytes > 0 ? own.segments().Find(entry->segment) : nullptr;
  if (segment != nullptr) {
    ++segment->references;
    segment->used = true;
  }
  if (!session->index().StillTrue(*entry)) {
    if (pin != SessionStripe::kNoPin) own.Unpin(pin);
    if (segment != nullptr) --segment->references;
    return Outcome::kBusy;
  }
  ++own.in_hand;
  own.Touch(entry->slot);
  object->Hold(session, number, pin, segment);
  return Outcome::kGot;
}

// Maps the segment if it is not mapped yet, and fills in `object`, which is
// held.
ClientCore::Attempt ClientCore::Finish(const IndexReader::Entry& entry,
                                       const ObjectId& id, Pinning pinning,
                                       std::shared_ptr<MappedObject> object) {
  Session& session = *object->session();
  if (entry.size_bytes > 0 && object->segment() == nullptr) {
    auto segment = session.segments().Acquire(
        entry.segment, object->stripe(),
        [&] { return session.MapSegment(entry, id.text()); });
    if (!segment && segment.error().code == Code::kInterrupted) {
      return Attempt{Outcome::kBusy, nullptr};
    }
    if (!segment) return Failed(segment.error());
    object->SetSegment(*segment);
    if (pinning == Pinning::kMappingOnly && !session.index().StillTrue(entry)) {
      return Attempt{Outcome::kBusy, nullptr};
    }
  }
  if (entry.size_bytes > 0) {
    auto inside = object->SetBytes(entry.offset, entry.size_bytes);
    if (!inside) return Failed(inside.error());
  }
  if ((entry.flags & kSlotHasMetadata) != 0) {
    object->SetHasMetadata(this, id.text(), entry.number);
  }
  return Attempt{Outcome::kGot, std::move(object)};
}

void ClientCore::Prefetch(std::span<const std::string_view> ids) {
  if (IsForked()) return;
  ClientStripe& stripe = stripes_[MyStripe()];
  SpinLockHolder lock(stripe.lock);
  if (stripe.session != nullptr) stripe.session->index().Prefetch(ids);
}

ClientCore::Attempt ClientCore::TryFind(const ObjectId& id,
                                        IndexReader::Entry* entry) {
  if (IsForked()) return Explain(Outcome::kDisconnected);
  Outcome outcome = Outcome::kDisconnected;
  {
    ClientStripe& stripe = stripes_[MyStripe()];
    SpinLockHolder lock(stripe.lock);
    if (stripe.session != nullptr) outcome = FindIn(*stripe.session, id, entry);
  }
  return Explain(outcome);
}

void ClientCore::BeforeFork() {
  mutex_.Lock();
  for (Session* session : sessions_) session->LockForFork();
  for (ClientStripe& stripe : stripes_) stripe.lock.Lock();
}

void ClientCore::AfterForkInParent() { UnlockAfterFork(); }

void ClientCore::AfterForkInChild() {
  for (Session* session : sessions_) session->BecomeChilds();
  UnlockAfterFork();
}

void ClientCore::UnlockAfterFork() {
  for (ClientStripe& stripe : stripes_) stripe.lock.Unlock();
  for (Session* session : sessions_) session->UnlockAfterFork();
  mutex_.Unlock();
}

}  // namespace vitrine
