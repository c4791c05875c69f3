#include "store/keepers/abandoned_watch.h"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace vitrine::store {
namespace {

using std::chrono::milliseconds;

// An object is aborted at most an eighth of the time late, as each look asks
// the kernel about every unsealed object.
constexpr int kLooksInTime = 8;
constexpr milliseconds kShortestPause(500);
constexpr milliseconds kLongestPause(30'000);

bool Changed(const ObjectInfo& before, const ObjectInfo& now) {
  return before.modified_ns != now.modified_ns ||
         before.size_bytes != now.size_bytes ||
         before.allocated_bytes != now.allocated_bytes ||
         before.mode != now.mode || before.uid != now.uid ||
         before.gid != now.gid || before.id != now.id;
}

uint64_t SecondsOf(AbandonedWatch::Clock::duration time) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(time).count());
}

}  // namespace

milliseconds AbandonedWatch::Pause() const {
  if (!abort_after_) return kLongestPause;
  return std::clamp(milliseconds(*abort_after_) / kLooksInTime, kShortestPause,
                    kLongestPause);
}

void AbandonedWatch::Look(Clock::time_point now) {
  if (now < next_) return;
  next_ = now + Pause();
  ++looks_;
  Numbers numbers;
  for (const ObjectRef& object : table_->unsealed().ListThroughMount()) {
    const Clock::duration unused = Note(object, now);
    if (abort_after_ && unused >= *abort_after_) {
      Abort(object, unused);
    } else if (unused >= kToldAfter) {
      Tell(seen_.at(NumberOf(*object)).info, unused, &numbers);
    }
  }
  std::erase_if(
      seen_, [this](const auto& seen) { return seen.second.look != looks_; });
  numbers.aborted = aborted_;
  MutexLock lock(mutex_);
  numbers_ = std::move(numbers);
}

AbandonedWatch::Clock::duration AbandonedWatch::Note(const ObjectRef& object,
                                                     Clock::time_point now) {
  ObjectInfo info = table_->queries().Info(object);
  const bool in_use = table_->queries().InUse(object);
  const auto [at, is_new] =
      seen_.try_emplace(info.number, Seen{info, now, looks_});
  Seen& seen = at->second;
  if (in_use || Changed(seen.info, info)) seen.unused_since = now;
  seen.info = std::move(info);
  seen.look = looks_;
  return now - seen.unused_since;
}

void AbandonedWatch::Abort(const ObjectRef& object, Clock::duration unused) {
  const ObjectInfo& info = seen_.at(NumberOf(*object)).info;
  auto dropped = table_->unsealed().AbortUnused(object, info.modified_ns);
  // Somebody has just come for it, or it is sealed.
  if (!dropped) return;
  ++aborted_;
  spdlog::warn(
      "abandoned: the unsealed object '{}' of user {}, made by process {}, was "
      "unused for {} s and is aborted (--abandon-after)",
      info.id.text(), info.uid, info.creator_pid, SecondsOf(unused));
  drop_(*std::move(dropped));
}

void AbandonedWatch::Tell(const ObjectInfo& info, Clock::duration unused,
                          Numbers* numbers) {
  ++numbers->objects;
  numbers->bytes += info.charged_bytes;
  if (numbers->objects > 1 && SecondsOf(unused) <= numbers->oldest_seconds) {
    return;
  }
  numbers->oldest_id = info.id.text();
  numbers->oldest_uid = info.uid;
  numbers->oldest_pid = info.creator_pid;
  numbers->oldest_created_ns = info.created_ns;
  numbers->oldest_seconds = SecondsOf(unused);
}

AbandonedWatch::Numbers AbandonedWatch::Count() const {
  MutexLock lock(mutex_);
  return numbers_;
}

}  // namespace vitrine::store
