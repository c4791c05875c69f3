#include "store/tiers/spill_tier.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "store/tiers/piecewise.h"
#include "store/tiers/spill_metrics.h"
#include "store/tiers/store_identity.h"

namespace vitrine::store {
namespace {

constexpr size_t kCrewHelpers = 2;
constexpr uint64_t kAloneBytes = uint64_t{8} << 20;
constexpr uint64_t kMostFusedBytes = uint64_t{64} << 20;
constexpr uint64_t kMostFusedHeadBytes = uint64_t{16} << 20;

// How many of the loads, from the first one on, go into one value.
size_t CountFused(std::span<const Tier::Load> loads) {
  uint64_t bytes = 0;
  uint64_t head_bytes = 0;
  size_t count = 0;
  for (const Tier::Load& load : loads) {
    bytes += load.bytes.size();
    head_bytes += SpillEntryBytes(load);
    if (count > 0 &&
        (load.bytes.size() >= kAloneBytes || bytes > kMostFusedBytes ||
         head_bytes > kMostFusedHeadBytes)) {
      break;
    }
    ++count;
    if (load.bytes.size() >= kAloneBytes) break;
  }
  return count;
}

std::vector<std::span<const Tier::Load>> SplitIntoValues(
    std::span<const Tier::Load> loads) {
  std::vector<std::span<const Tier::Load>> values;
  while (!loads.empty()) {
    const size_t count = CountFused(loads);
    values.push_back(loads.first(count));
    loads = loads.subspan(count);
  }
  return values;
}

uint64_t SumBytes(std::span<const Tier::Load> loads) {
  uint64_t sum = 0;
  for (const Tier::Load& load : loads) sum += load.bytes.size();
  return sum;
}

}  // namespace

SpillTier::SpillTier(Options options)
    : options_(std::move(options)),
      book_(options_.spill_limit_bytes),
      io_(options_.url, options_.most_handles, options_.retries),
      crew_(kCrewHelpers) {}

Result<std::unique_ptr<SpillTier>> SpillTier::Open(Options options) {
  std::unique_ptr<SpillTier> tier(new SpillTier(std::move(options)));
  auto log = tier->ReadLogs();
  if (!log) return log.error();
  if (Status scanned = tier->Scan(); !scanned) return scanned.error();
  tier->deleted_ = {};
  tier->TrimLog(&*log);
  tier->cleaner_ =
      std::make_unique<SpillCleaner>(&tier->book_, &tier->io_, *std::move(log));
  return tier;
}

// Keeps what is still of use: the rest was in values that are gone.
void SpillTier::TrimLog(DeletionLog* log) {
  const size_t count = book_.NewlyForgotten().size();
  const Status trimmed = log->Rewrite(book_.Forgotten());
  if (trimmed) return book_.NoteLogged(count);
  spdlog::warn("spill: the log of deletions: {}", trimmed.error().ToString());
}

Result<DeletionLog> SpillTier::ReadLogs() {
  const auto identity = ReadOrDrawIdentity(&io_);
  if (!identity) return identity.error();
  identity_ = *identity;
  DeletionLog log(&io_);
  auto deleted = log.Load();
  if (!deleted) return deleted.error();
  deleted_ = *std::move(deleted);
  return log;
}

// --- what an earlier store left ---

// In the order in which they were written: the newer one of two takes over.
Status SpillTier::Scan() {
  auto listed = io_.List();
  if (!listed) return listed.error();
  std::sort(listed->begin(), listed->end(),
            [](const SpillIo::Listed& left, const SpillIo::Listed& right) {
              return left.sequence < right.sequence;
            });
  for (const SpillIo::Listed& value : *listed) {
    if (Status scanned = ScanValue(value); !scanned) return scanned;
  }
  return Status();
}

Status SpillTier::ScanValue(const SpillIo::Listed& value) {
  book_.SkipSequence(value.sequence);
  book_.ForceReserve(value.size_bytes);
  auto head = io_.ReadHead(value);
  if (!head) {
    // It may be read another time.
    if (head.error().code != Code::kCorruption) return head.error();
    spdlog::warn("spill: {} cannot be read, and is kept as it is: {}",
                 SpillName(value.sequence), head.error().ToString());
    book_.AddDamaged(value.sequence, value.size_bytes);
    return Status();
  }
  book_.Add(*head);
  for (SpilledObject& spilled : head->objects) {
    const uint64_t number = spilled.object.info.number;
    highest_number_ = std::max(highest_number_, number);
    if (deleted_.contains(number)) {
      book_.Forget(number);
      continue;
    }
    spilled.object.identity = identity_;
    found_.insert_or_assign(number, std::move(spilled.object));
  }
  return Status();
}

Result<std::vector<Tier::Found>> SpillTier::TakeFound() {
  std::vector<Found> found;
  found.reserve(found_.size());
  for (auto& [number, object] : found_) found.push_back(std::move(object));
  found_ = {};
  return found;
}

// --- put ---

// A store that was full is not tried again at once: each try would fill the
// disk of others, too.
Status SpillTier::CheckRoom(uint64_t bytes) {
  Status room;
  if (std::chrono::steady_clock::now().time_since_epoch() <
      full_until_.load()) {
    room = Error{Code::kOutOfMemory, "the external store was full just now"};
  } else {
    room = book_.Reserve(bytes);
  }
  if (!room) io_.NoteRefused(room);
  return room;
}

void SpillTier::NoteFull(const Status& put) {
  if (put.error().code != Code::kOutOfMemory) return;
  full_until_ = (std::chrono::steady_clock::now() + options_.retries.full_pause)
                    .time_since_epoch();
}

Result<SpillHead> SpillTier::WriteValue(std::span<const Load> loads) {
  // Before all is hashed in vain.
  const uint64_t least_bytes = SumBytes(loads);
  if (Status room = CheckRoom(least_bytes); !room) return room.error();
  const auto value = SpillValue::Make(book_.NewSequence(), loads,
                                      [this](std::span<const std::byte> bytes) {
                                        return HashInPieces(bytes, &crew_);
                                      });
  Status done = value ? Status() : value.error();
  if (done) done = book_.Reserve(value->head().value_bytes - least_bytes);
  if (!done) {
    book_.Unreserve(least_bytes);
    return done.error();
  }
  const SpillHead& head = value->head();
  done = io_.Put(*value);
  if (done) return head;
  NoteFull(done);
  book_.Unreserve(head.value_bytes);
  book_.AddDead(head.sequence, 0);  // It may be there all the same.
  cleaner_->Wake();
  return done.error();
}

Status SpillTier::WriteAll(std::span<const Load> loads,
                           std::vector<SpillHead>* written) {
  const auto values = SplitIntoValues(loads);
  std::vector<std::optional<SpillHead>> heads(values.size());
  Status done = crew_.ForEach(values.size(), [&](size_t value) -> Status {
    auto head = WriteValue(values[value]);
    if (!head) return head.error();
    heads[value] = *std::move(head);
    return {};
  });
  for (auto& head : heads) {
    if (head) written->push_back(*std::move(head));
  }
  return done;
}

Status SpillTier::Put(std::span<const Load> loads) {
  std::vector<SpillHead> written;
  const std::vector<Load> wanted = book_.LeaveOutKept(loads);
  Status put = WriteAll(wanted, &written);
  for (const SpillHead& head : written) {
    if (put) {
      book_.Add(head);
    } else {
      book_.AddDead(head.sequence, head.value_bytes);
    }
  }
  if (!put) cleaner_->Wake();
  return put;
}

// --- get ---

Status SpillTier::Get(const ObjectInfo& object, std::span<std::byte> bytes) {
  auto place = book_.Find(object.number);
  while (place) {
    const Status read = ReadVerified(*place, bytes);
    const auto now = book_.Find(object.number);
    if (read || now == place) return NoteRead(object, *place, read);
    place = now;  // It was copied meanwhile, or forgotten.
  }
  return Error{Code::kNotFound,
               "the spill tier has no object " + std::to_string(object.number)};
}

Status SpillTier::ReadVerified(const SpillBook::Place& place,
                               std::span<std::byte> bytes) {
  if (place.size_bytes != bytes.size()) {
    return Error{Code::kCorruption, "it has another size than was put"};
  }
  const auto hash =
      ReadInPieces(place.sequence, place.offset_bytes, bytes, &io_, &crew_);
  if (!hash) return hash.error();
  if (*hash == place.hash) return Status();
  return Error{Code::kCorruption, "its bytes are not what was put"};
}

Status SpillTier::NoteRead(const ObjectInfo& object,
                           const SpillBook::Place& place, const Status& read) {
  if (read) return read;
  Error error = read.error();
  // The tier should have it.
  if (error.code == Code::kNotFound) error.code = Code::kCorruption;
  error.message = "object " + std::to_string(object.number) + " in " +
                  SpillName(place.sequence) + ": " + error.message;
  if (error.code == Code::kCorruption &&
      book_.NoteDamage(object.number, place)) {
    spdlog::error("spill: {}; the value is kept", error.message);
  }
  return error;
}

bool SpillTier::Has(uint64_t number) const {
  const auto place = book_.Find(number);
  return place && !place->damaged;
}

void SpillTier::Forget(uint64_t number) {
  book_.Forget(number);
  if (book_.HasWork()) cleaner_->Wake();
}

std::vector<StatusSection> SpillTier::Sections() const {
  return {SpillSection(
      {options_.url, book_.Count(), io_.Count(), cleaner_->Count()})};
}

}  // namespace vitrine::store
