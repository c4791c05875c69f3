#include "store/journal/journal.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "schema/base/mapping.h"
#include "schema/base/saturating.h"

namespace vitrine::store {
namespace {

constexpr uint64_t kReserveStepBytes = 64 * 1024;
constexpr uint64_t kSmallJournalBytes = 256 * 1024;
constexpr size_t kBatchBytes = 1024 * 1024;

// A replay has this many objects of a record in memory at once.
constexpr size_t kMostInRecord = 256;
constexpr size_t kMostDepartures = 64 * 1024;
// About: metadata makes records long, and a reader has a limit.
constexpr uint64_t kMostRecordBytes = 1 << 20;

uint64_t RecordBytesOf(const ObjectInfo& info, const Metadata& metadata) {
  return SealedRecordBytes(info.id.text(), metadata, info.in_slab());
}

uint64_t RecordBytesOf(const JournaledObject& object) {
  return RecordBytesOf(object.info, MetadataOf(object.metadata));
}

Status AddSealed(const ObjectInfo& info, const Metadata& metadata, uint64_t key,
                 std::string* records) {
  Result<std::string> record = EncodeSealed(info, metadata);
  if (!record) return record.error();
  AppendFramed(*record, key, records);
  return Status();
}

// Neighbours that can share a record do so.
Status AddSealedInSlabs(std::span<const JournaledObject> objects, uint64_t key,
                        std::string* records) {
  for (size_t first = 0, end = 0; first < objects.size(); first = end) {
    uint64_t bytes = 0;
    while (end < objects.size() && end - first < kMostInRecord &&
           bytes < kMostRecordBytes &&
           ShareRecord(objects[first].info, objects[end].info)) {
      bytes += RecordBytesOf(objects[end++]);
    }
    Result<std::string> record =
        EncodeSealedInSlab(objects.subspan(first, end - first));
    if (!record) return record.error();
    AppendFramed(*record, key, records);
  }
  return Status();
}

Result<UniqueFd> OpenFile(const std::string& path, int flags) {
  UniqueFd fd(::open(path.c_str(),
                     O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600));
  if (!fd.valid()) return ErrnoError("open " + path, errno);
  return fd;
}

}  // namespace

Result<Journal> Journal::Open(const std::string& path,
                              JournalContents* contents) {
  // The file of a rewrite that ended before its rename.
  const std::string leftover = path + ".new";
  if (::unlink(leftover.c_str()) != 0 && errno != ENOENT) {
    return ErrnoError("unlink " + leftover, errno);
  }
  Result<UniqueFd> fd = OpenFile(path, 0);
  if (!fd) return fd.error();
  Journal journal(path, std::move(*fd));
  *contents = {};
  Status status = journal.Replay(contents);
  if (!status) {
    return Error{status.error().code, path + ": " + status.error().message};
  }
  return journal;
}

Status Journal::Begin() {
  Status status = CutTail();
  return status ? Write(EncodeHead(key_)) : status;
}

Status Journal::Replay(JournalContents* contents) {
  struct stat info;
  if (::fstat(fd_.get(), &info) != 0) return ErrnoError("fstat journal", errno);
  const auto file_bytes = static_cast<size_t>(info.st_size);
  Result<Mapping> mapping = Mapping::Map(fd_.get(), file_bytes, PROT_READ);
  if (!mapping) return mapping.error();
  const std::string_view bytes(reinterpret_cast<char*>(mapping->data()),
                               mapping->size_bytes());
  const auto key = ReadHead(bytes);
  contents->unreadable = !key;
  if (!key) {  // The first append begins it anew.
    damaged_ = !bytes.empty();
    contents->damage = {damaged_ ? 1U : 0U, bytes.size()};
    return Status();
  }
  key_ = *key;
  ReplayRecords(bytes, contents);
  tiers_ = contents->tiers;
  for (const JournaledObject& object : contents->objects) {
    live_bytes_ += RecordBytesOf(object);
    ++counts_.live;
    if (!object.info.elsewhere) ++counts_.in_memory;
  }
  return size_bytes_ == bytes.size() ? Status() : CutTail();
}

void Journal::ReplayRecords(std::string_view bytes, JournalContents* contents) {
  JournalReplay replay;
  size_bytes_ = kHeadBytes;
  while (size_bytes_ < bytes.size()) {
    const FramedBytes framed = ReadFramed(bytes.substr(size_bytes_), key_);
    if (framed.state == FramedBytes::State::kTorn) break;
    size_bytes_ += framed.size_bytes;
    if (framed.state == FramedBytes::State::kRecord) {
      if (Result<JournalRecord> record = DecodeRecord(framed.payload); record) {
        replay.Apply(std::move(*record));
        continue;
      }
    }
    ++contents->damage.places;
    contents->damage.bytes += framed.size_bytes;
  }
  // A damaged head has a good copy, but the next damage may hit that one.
  damaged_ =
      contents->damage.places > 0 || !bytes.starts_with(EncodeHead(key_));
  std::move(replay).Finish(contents);
}

Status Journal::RecordSealed(const ObjectInfo& info, const Metadata& metadata) {
  std::string record;
  Status status = AddSealed(info, metadata, key_, &record);
  if (status) status = Append(record, More(1));
  if (!status) return status;
  live_bytes_ += RecordBytesOf(info, metadata);
  return Status();
}

Status Journal::RecordSealedInSlabs(std::span<const JournaledObject> objects) {
  std::string records;
  Status status = AddSealedInSlabs(objects, key_, &records);
  if (!status) return status;
  status = Append(records, More(objects.size()));
  if (!status) return status;
  for (const JournaledObject& object : objects) {
    live_bytes_ += RecordBytesOf(object);
  }
  return Status();
}

// The newest record of an object is the valid one.
Status Journal::RecordMoved(std::span<const JournaledObject> objects) {
  std::string records;
  Status status = AddSealedInSlabs(objects, key_, &records);
  return status ? Append(records, counts_) : status;
}

Status Journal::RecordDeparted(std::span<const uint64_t> numbers) {
  Counts after = counts_;
  after.in_memory = SaturatingSubtract(after.in_memory, numbers.size());
  return AppendRecord(EncodeDeparture(numbers), after);
}

Status Journal::RecordReturned(const JournaledObject& object) {
  std::string record;
  Status status =
      object.info.in_slab()
          ? AddSealedInSlabs({&object, 1}, key_, &record)
          : AddSealed(object.info, MetadataOf(object.metadata), key_, &record);
  if (!status) return status;
  return Append(record, {counts_.live, counts_.in_memory + 1});
}

Status Journal::RecordRemoved(const Removed& removed) {
  const Counts after = {
      SaturatingSubtract(counts_.live, removed.numbers.size()),
      SaturatingSubtract(counts_.in_memory, removed.in_memory)};
  Status status = AppendRecord(EncodeRemoval(removed.numbers), after);
  if (status) live_bytes_ = SaturatingSubtract(live_bytes_, removed.bytes);
  return status;
}

Status Journal::RecordHold(uint64_t number, bool hold) {
  return AppendRecord(EncodeHold(JournaledHold{number, hold}), counts_);
}

bool Journal::WantsRewrite() const {
  if (size_bytes_ < rewrite_from_bytes_) return false;
  return damaged_ || (size_bytes_ >= kSmallJournalBytes &&
                      kHeadBytes + live_bytes_ <= size_bytes_ / 2);
}

Status Journal::Rewrite(const std::function<void(const Visitor&)>& for_each) {
  // If the rewrite fails, others would fail for some time, too.
  rewrite_from_bytes_ = size_bytes_ + size_bytes_ / 4;
  const std::string new_path = path_ + ".new";
  Result<UniqueFd> fd = OpenFile(new_path, O_TRUNC);
  if (!fd) return fd.error();
  Journal fresh(path_, std::move(*fd));
  fresh.tiers_ = tiers_;
  Status status;
  if (!tiers_.empty()) status = fresh.AppendRecord(EncodeTiers(tiers_), {});
  if (status) status = fresh.AppendObjects(for_each);
  if (status && ::rename(new_path.c_str(), path_.c_str()) != 0) {
    status = ErrnoError("rename " + new_path, errno);
  }
  if (!status) {
    ::unlink(new_path.c_str());
    return status;
  }
  // The file is now as small as possible, even if it is larger than estimated.
  fresh.rewrite_from_bytes_ = fresh.size_bytes_ + fresh.size_bytes_ / 2;
  *this = std::move(fresh);
  return Status();
}

// Of the objects that are elsewhere, the records of where they were come first.
Status Journal::AppendObjects(
    const std::function<void(const Visitor&)>& for_each) {
  Status status;
  std::string batch;
  std::vector<JournaledObject> small;
  std::vector<uint64_t> elsewhere;
  Counts counts;
  for_each([&](const JournaledObject& object) {
    if (!status) return;
    ++counts.live;
    ++counts.in_memory;
    live_bytes_ += RecordBytesOf(object);
    if (object.info.elsewhere) elsewhere.push_back(object.info.number);
    if (!object.info.in_slab()) {
      status =
          AddSealed(object.info, MetadataOf(object.metadata), key_, &batch);
    } else if (small.push_back(object); small.size() == kMostInRecord) {
      status = AddSealedInSlabs(small, key_, &batch);
      small.clear();
    }
    if (!status || batch.size() < kBatchBytes) return;
    status = Append(batch, counts);
    batch.clear();
  });
  if (status) status = AddSealedInSlabs(small, key_, &batch);
  if (status) status = Append(batch, counts);
  if (!status || elsewhere.empty()) return status;
  return AppendDepartures(elsewhere);
}

Status Journal::AppendDepartures(std::span<const uint64_t> numbers) {
  Status status;
  while (status && !numbers.empty()) {
    const auto some = numbers.first(std::min(numbers.size(), kMostDepartures));
    numbers = numbers.subspan(some.size());
    status = RecordDeparted(some);
  }
  return status;
}

Status Journal::AppendRecord(std::string_view payload, const Counts& after) {
  std::string record;
  AppendFramed(payload, key_, &record);
  return Append(record, after);
}

Status Journal::Append(std::string_view records, const Counts& after) {
  Status status = size_bytes_ == 0 ? Begin() : Status();
  if (status && tail_is_torn_) status = CutTail();
  if (!status) return status;
  // Reserves memory for removals and departures, because an eviction must not
  // need memory.
  const uint64_t owed = after.live + (tiers_.empty() ? 0 : after.in_memory);
  status = Reserve(size_bytes_ + records.size() + owed * RemovalRecordBytes(1));
  if (status) status = Write(records);
  if (status) counts_ = after;
  return status;
}

Status Journal::Write(std::string_view bytes) {
  ssize_t put;
  do {
    put = ::pwrite(fd_.get(), bytes.data(), bytes.size(),
                   static_cast<off_t>(size_bytes_));
  } while (put < 0 && errno == EINTR);
  if (put == static_cast<ssize_t>(bytes.size())) {
    size_bytes_ += bytes.size();
    return Status();
  }
  const Error error = ErrnoError("write journal", put < 0 ? errno : ENOSPC);
  tail_is_torn_ = true;
  (void)CutTail();  // If it fails, the next append tries again.
  return error;
}

Status Journal::Reserve(uint64_t end_bytes) {
  if (end_bytes <= reserved_bytes_) return Status();
  const uint64_t begin = std::max(reserved_bytes_, size_bytes_);
  const uint64_t end = (end_bytes / kReserveStepBytes + 1) * kReserveStepBytes;
  while (::fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(begin),
                     static_cast<off_t>(end - begin)) != 0) {
    if (errno != EINTR) return ErrnoError("reserve journal", errno);
  }
  reserved_bytes_ = end;
  return Status();
}

Status Journal::CutTail() {
  while (::ftruncate(fd_.get(), static_cast<off_t>(size_bytes_)) != 0) {
    if (errno != EINTR) return ErrnoError("ftruncate journal", errno);
  }
  tail_is_torn_ = false;
  reserved_bytes_ = 0;  // The reserved memory behind the tail went, too.
  return Status();
}

}  // namespace vitrine::store
