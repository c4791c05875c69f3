#include "client/many_getter.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "client/base/spin_lock.h"

namespace vitrine {
namespace {

// How often to ask the store whether an object is gone: no event tells that.
constexpr std::chrono::milliseconds kGoneInterval{100};

}  // namespace

ManyGetter::ManyGetter(ClientImpl* client, std::span<const ObjectId> ids,
                       const Client::GetManyOptions& options)
    : client_(client),
      options_(options),
      deadline_(DeadlineAfter(options.timeout)),
      back_by_(ReturnDeadline(options.timeout)) {
  std::unordered_map<std::string_view, size_t> known;
  places_.reserve(ids.size());
  for (const ObjectId& id : ids) {
    const auto [place, added] = known.try_emplace(id.text(), wanted_.size());
    if (added) wanted_.push_back(Wanted{&id, std::nullopt});
    places_.push_back(place->second);
  }
  need_ = options.need == 0 ? wanted_.size() : options.need;
}

Result<std::vector<std::optional<Object>>> ManyGetter::Run() {
  if (need_ > wanted_.size()) {
    return Error{Code::kInvalidArgument, "more are needed than are asked for"};
  }
  auto forked = client_->core().CheckFork();
  if (!forked) return forked.error();
  auto looked = Look();
  if (!looked) return looked.error();
  Backoff backoff;
  while (StillNeeded() > 0 && !IsTimeUp()) {
    auto more = WaitForMore();
    if (!more) return more.error();
    const size_t before = found_;
    looked = Look();
    if (!looked) return looked.error();
    if (!*more) break;
    // The sealed objects may be gone again; do not ask in a busy loop.
    if (found_ == before) backoff.Pause();
  }
  std::vector<std::optional<Object>> results;
  results.reserve(places_.size());
  for (const size_t place : places_) results.push_back(wanted_[place].object);
  return results;
}

Status ManyGetter::Look() {
  for (size_t i = 0; i < wanted_.size(); ++i) {
    if (i % IndexReader::kMostPrefetched == 0) PrefetchFrom(i);
    Wanted& wanted = wanted_[i];
    if (wanted.object.has_value()) continue;
    auto object = client_->GetNow(*wanted.id, back_by_);
    if (!object) return object.error();
    if (!object->has_value()) continue;
    wanted.object = std::move(*object);
    ++found_;
  }
  return {};
}

void ManyGetter::PrefetchFrom(size_t first) {
  std::vector<std::string_view> ids;
  ids.reserve(IndexReader::kMostPrefetched);
  for (size_t i = first;
       i < wanted_.size() && ids.size() < IndexReader::kMostPrefetched; ++i) {
    ids.push_back(wanted_[i].id->text());
  }
  client_->core().Prefetch(ids);
}

std::vector<std::string> ManyGetter::MissingIds(size_t first,
                                                size_t limit) const {
  std::vector<std::string> ids;
  for (size_t i = first; i < wanted_.size() && ids.size() < limit; ++i) {
    if (!wanted_[i].object.has_value()) ids.push_back(wanted_[i].id->text());
  }
  return ids;
}

Result<bool> ManyGetter::WaitForMore() {
  const size_t missing = wanted_.size() - found_;
  if (missing <= kMaxIdsPerRequest) {
    return WaitForChunk(StillNeeded(), deadline_);
  }
  if (StillNeeded() == missing && !options_.stop_when_gone) {
    return WaitForChunk(kMaxIdsPerRequest, deadline_);
  }
  return WaitForEvents();
}

// Waits for the first chunk of the missing ids.
Result<bool> ManyGetter::WaitForChunk(size_t need, Deadline deadline) {
  auto states = client_->WaitInStore(MissingIds(0, kMaxIdsPerRequest), need,
                                     deadline, options_.stop_when_gone);
  if (!states) return states.error();
  const bool gone = std::find(states->begin(), states->end(),
                              protocol::WaitState::kGone) != states->end();
  return !(gone && options_.stop_when_gone);
}

Result<bool> ManyGetter::WaitForEvents() {
  auto events = client_->Subscribe(EventsFrom::kNow);
  if (!events) return events.error();
  // Finds the objects that were sealed before the subscription began.
  auto looked = Look();
  if (!looked) return looked.error();
  while (StillNeeded() > 0 && !IsTimeUp()) {
    auto followed = FollowEvents(&*events);
    if (!followed) return followed.error();
    if (!options_.stop_when_gone) continue;
    auto gone = IsOneGone();
    if (!gone) return gone.error();
    if (*gone) return false;
  }
  return true;
}

// At most for kGoneInterval if the store has to be asked for objects that are
// gone.
Result<bool> ManyGetter::FollowEvents(Subscription* events) {
  const Deadline pause = options_.stop_when_gone
                             ? std::min(deadline_, Clock::now() + kGoneInterval)
                             : deadline_;
  while (StillNeeded() > 0) {
    const int64_t left_ms = RemainingMs(pause);
    auto event = events->Next(left_ms < 0 ? kNever : Timeout(left_ms));
    if (!event && event.error().code == Code::kTimeout) return true;
    if (!event) return event.error();
    Status looked;
    if (event->kind == EventKind::kOverflow) looked = Look();
    if (event->kind == EventKind::kSealed) looked = LookAt(*event->id);
    if (!looked) return looked.error();
    if (left_ms == 0) return true;
  }
  return true;
}

Status ManyGetter::LookAt(const ObjectId& id) {
  for (Wanted& wanted : wanted_) {
    if (wanted.object.has_value() || *wanted.id != id) continue;
    auto object = client_->GetNow(*wanted.id, back_by_);
    if (!object) return object.error();
    if (!object->has_value()) return {};
    wanted.object = std::move(*object);
    ++found_;
    return {};
  }
  return {};
}

Result<bool> ManyGetter::IsOneGone() {
  std::vector<std::string> missing = MissingIds(0, wanted_.size());
  for (size_t first = 0; first < missing.size(); first += kMaxIdsPerRequest) {
    const size_t count = std::min(kMaxIdsPerRequest, missing.size() - first);
    const auto begin = missing.begin() + static_cast<std::ptrdiff_t>(first);
    std::vector<std::string> chunk(begin,
                                   begin + static_cast<std::ptrdiff_t>(count));
    auto states = client_->WaitInStore(std::move(chunk), count, Clock::now(),
                                       /*stop_when_gone=*/true);
    if (!states) return states.error();
    const auto gone =
        std::find(states->begin(), states->end(), protocol::WaitState::kGone);
    if (gone != states->end()) return true;
  }
  return false;
}

}  // namespace vitrine
