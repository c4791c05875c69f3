#include "store/tiers/spill_cleaner.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "store/base/thread_setup.h"

namespace vitrine::store {
namespace {

constexpr size_t kDeletesAtOnce = 256;
constexpr uint64_t kCopiedAtOnceBytes = uint64_t{16} << 20;
constexpr std::chrono::milliseconds kFirstCleanerPause(100);
constexpr std::chrono::milliseconds kMostCleanerPause(10'000);

}  // namespace

SpillCleaner::SpillCleaner(SpillBook* book, SpillIo* io, DeletionLog log)
    : book_(book),
      io_(io),
      log_(std::move(log)),
      thread_(&SpillCleaner::Run, this) {}

SpillCleaner::~SpillCleaner() {
  if (Status ended = Stop(); !ended) {
    spdlog::error("spill: what was deleted last may be back: {}",
                  ended.error().ToString());
  }
}

Status SpillCleaner::Stop() {
  if (!thread_.joinable()) return ended_;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
  ended_ = LogForgotten();
  // Also if the log takes no more: the store may be full.
  Status deleted;
  while (deleted && book_->Count().dead_values > 0) deleted = DeleteDead();
  if (ended_) ended_ = deleted;
  if (ended_) ended_ = DropLogs();
  return ended_;
}

void SpillCleaner::Wake() {
  MutexLock lock(mutex_);
  woken_ = true;
  changed_.NotifyAll();
}

void SpillCleaner::Run() {
  SetUpThread("spill-cleaner", ThreadPriority::kLow);
  while (WaitForWork()) {
    const Status logged = LogForgotten();
    Status done = DeleteDead();  // In any case: the store may be full.
    if (done) done = logged;
    if (done) done = DropLogs();
    if (done) done = CopyLive();
    NoteDone(done);
  }
}

// A rewrite leaves out what was in values that are gone.
Status SpillCleaner::LogForgotten() {
  const std::vector<uint64_t> forgotten = book_->NewlyForgotten();
  if (forgotten.empty()) return Status();
  Status logged = log_.WantsRewrite() ? log_.Rewrite(book_->Forgotten())
                                      : log_.Append(forgotten);
  if (!logged) return logged;
  book_->NoteLogged(forgotten.size());
  MutexLock lock(mutex_);
  numbers_.logged_deletions += forgotten.size();
  return logged;
}

bool SpillCleaner::WaitForWork() {
  const bool more = book_->HasWork();
  if (!more) pause_ = {};
  const auto until =
      std::chrono::steady_clock::now() +
      (more ? pause_ : std::chrono::milliseconds(std::chrono::hours(1)));
  MutexLock lock(mutex_);
  // After a failure, a wake must not make it busy.
  while (!stopping_ && (!woken_ || pause_.count() > 0)) {
    if (!changed_.WaitUntil(mutex_, until)) break;
  }
  woken_ = false;
  return !stopping_;
}

void SpillCleaner::NoteDone(const Status& done) {
  if (done) {
    pause_ = {};
    return;
  }
  if (pause_.count() == 0) {
    spdlog::warn("spill: space is not given back: {}", done.error().ToString());
  }
  pause_ = std::clamp(2 * pause_, kFirstCleanerPause, kMostCleanerPause);
}

Status SpillCleaner::DropLogs() {
  const bool needed = log_.empty() || book_->CountForgotten() > 0;
  return needed ? Status() : log_.Rewrite({});
}

Status SpillCleaner::DeleteDead() {
  const std::vector<uint64_t> dead = book_->DeadValues(kDeletesAtOnce);
  if (dead.empty()) return Status();
  if (Status deleted = io_->Delete(dead); !deleted) return deleted;
  book_->Removed(dead);
  MutexLock lock(mutex_);
  numbers_.deleted_values += dead.size();
  return Status();
}

bool SpillCleaner::KeepIfDamaged(uint64_t sequence, const Status& status) {
  if (status || (status.error().code != Code::kCorruption &&
                 status.error().code != Code::kNotFound)) {
    return false;
  }
  spdlog::error("spill: {} is damaged, and kept as it is: {}",
                SpillName(sequence), status.error().ToString());
  book_->KeepForInspection(sequence);
  return true;
}

Status SpillCleaner::FindLive(const SpillBook::Value& value,
                              std::vector<Living>* live) {
  auto head = io_->ReadHead({value.sequence, value.size_bytes});
  if (!head) return head.error();
  for (SpilledObject& spilled : head->objects) {
    const auto place = book_->Find(spilled.object.info.number);
    if (!place || place->sequence != value.sequence) continue;
    live->push_back({value.sequence, std::move(spilled)});
  }
  return Status();
}

Status SpillCleaner::CopyLive() {
  std::vector<Living> live;
  for (const SpillBook::Value& value : book_->MostlyDead(kCopiedAtOnceBytes)) {
    const Status found = FindLive(value, &live);
    if (!found && !KeepIfDamaged(value.sequence, found)) return found;
  }
  return live.empty() ? Status() : Copy(live);
}

Status SpillCleaner::Copy(const std::vector<Living>& live) {
  uint64_t size_bytes = 0;
  for (const Living& each : live) {
    size_bytes += each.spilled.object.info.size_bytes;
  }
  std::vector<std::byte> bytes(size_bytes);
  std::vector<Tier::Load> loads;
  if (Status read = ReadLive(live, &bytes, &loads); !read) return read;
  return loads.empty() ? Status() : WriteCopy(loads);
}

Status SpillCleaner::ReadLive(const std::vector<Living>& live,
                              std::vector<std::byte>* bytes,
                              std::vector<Tier::Load>* loads) {
  std::span<std::byte> room(*bytes);
  for (const auto& [sequence, spilled] : live) {
    const ObjectInfo& info = spilled.object.info;
    const std::span<std::byte> place = room.first(info.size_bytes);
    Status got = io_->Get(sequence, spilled.offset_bytes, place);
    if (got && HashPayload(place) != spilled.hash) {
      got = Error{Code::kCorruption, "object " + std::to_string(info.number) +
                                         " is not what was put"};
    }
    if (!got && !KeepIfDamaged(sequence, got)) return got;
    if (!got) {
      const auto known = book_->Find(info.number);
      if (known) (void)book_->NoteDamage(info.number, *known);
      continue;
    }
    loads->push_back({info, spilled.object.metadata, place});
    room = room.subspan(place.size());
  }
  return Status();
}

Status SpillCleaner::WriteCopy(std::span<const Tier::Load> loads) {
  const auto value = SpillValue::Make(book_->NewSequence(), loads);
  if (!value) return value.error();
  const SpillHead& head = value->head();
  book_->ForceReserve(head.value_bytes);
  if (Status put = io_->Put(*value); !put) {
    book_->AddDead(head.sequence, head.value_bytes);
    return put;
  }
  book_->AddCopy(head);
  MutexLock lock(mutex_);
  numbers_.copied_bytes += head.value_bytes;
  return Status();
}

SpillCleaner::Numbers SpillCleaner::Count() const {
  MutexLock lock(mutex_);
  return numbers_;
}

}  // namespace vitrine::store
