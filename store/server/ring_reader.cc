#include "store/server/ring_reader.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "schema/base/futex.h"
#include "store/index/sealed_memfd.h"
#include "store/server/server_metadata.h"

namespace vitrine::store {
namespace {

// Of the records that are read at once: it lies in memory that is not charged
// while they wait for room.
constexpr uint64_t kMostMetadataBytes = 128 * 1024;

Error Corrupt(const char* how) { return Error{Code::kCorruption, how}; }

Result<MetadataRef> ParseMetadata(std::span<const std::byte> packed) {
  if (packed.empty()) return MetadataRef();
  if (packed.size() > kMaxRecordMetadataBytes) {
    return Error{Code::kTooLarge, "too much metadata for a small object"};
  }
  // A copy, which cannot change after it was checked.
  std::vector<uint8_t> bytes(packed.size());
  std::memcpy(bytes.data(), packed.data(), packed.size());
  auto metadata = server::ReadMetadataList(bytes);
  if (!metadata) return metadata.error();
  // Entries may share their bytes in the packed form.
  if (RecordMetadataBytes(*metadata) > kMaxRecordMetadataBytes) {
    return Error{Code::kTooLarge, "too much metadata for a small object"};
  }
  return ShareMetadata(std::move(*metadata));
}

Result<RingReader::SubmittedBlank> ParseBlank(ObjectId id,
                                              std::span<const std::byte> data) {
  BlankRecord record;  // A copy, which cannot change after it was checked.
  if (data.size() != sizeof(record)) {
    return Error{Code::kInvalidArgument, "a record of no blank"};
  }
  std::memcpy(&record, data.data(), sizeof(record));
  return RingReader::SubmittedBlank{
      .number = record.number,
      .keep_if_in_use = (record.flags & kKeepIfInUse) != 0,
      .seal = {std::move(id), record.size_bytes}};
}

}  // namespace

Result<RingReader::Made> RingReader::Make(uint64_t most_data_bytes,
                                          const Shape& shape) {
  const uint64_t file_bytes = RingFileBytes(shape.bytes);
  auto fd = MakeSealedMemfd("vitrine-ring", file_bytes);
  if (!fd) return fd.error();
  auto mapping = Mapping::Map(fd->get(), file_bytes, PROT_READ | PROT_WRITE);
  if (!mapping) return mapping.error();
  Made made{RingReader(std::move(*mapping), most_data_bytes, shape),
            std::move(*fd)};
  made.reader.ring().answered.store(shape.first_record);
  return made;
}

bool RingReader::HasMore() const {
  const uint64_t read_to = ends_.empty() ? position_ : ends_.back();
  return ring().submitted.load(std::memory_order_seq_cst) != read_to;
}

void RingReader::SetStoreSleeps(bool sleeps) {
  ring().store_sleeps.store(sleeps ? 1 : 0, std::memory_order_seq_cst);
}

Status RingReader::Read(size_t most, std::vector<Record>* records) {
  const uint64_t end = ring().submitted.load(std::memory_order_acquire);
  uint64_t position = ends_.empty() ? position_ : ends_.back();
  if (end - position_ > bytes_ || end % kRecordAlignment != 0) {
    return Corrupt("a ring's end is out of reach");
  }
  uint64_t metadata_bytes = 0;
  while (position != end && records->size() < most &&
         metadata_bytes < kMostMetadataBytes) {
    auto parsed = Parse(position, end);
    if (!parsed) return parsed.error();
    position += parsed->record_bytes;
    if (!parsed->record) {
      if (ends_.empty()) position_ = position;
      continue;
    }
    metadata_bytes +=
        RecordMetadataBytes(MetadataOf(parsed->record->metadata()));
    records->push_back(std::move(*parsed->record));
    ends_.push_back(position);
  }
  return Status();
}

Result<RingReader::Parsed> RingReader::Parse(uint64_t position,
                                             uint64_t end) const {
  const uint64_t offset = position % bytes_;
  const uint64_t room = std::min(end - position, bytes_ - offset);
  const std::byte* const place = ring().bytes.data() + offset;
  RecordHeader header;  // A copy, which cannot change after it was checked.
  std::memcpy(&header, place, sizeof(header));
  if (header.record_bytes < sizeof(header) || header.record_bytes > room ||
      header.record_bytes % kRecordAlignment != 0) {
    return Corrupt("a record of impossible length");
  }
  if (header.id_bytes == 0) return Parsed{header.record_bytes, std::nullopt};
  if (header.id_bytes > ObjectId::kMaxBytes ||
      RecordBytes(header.id_bytes, header.data_bytes, header.metadata_bytes) !=
          header.record_bytes) {
    return Corrupt("a record that contradicts its length");
  }
  return Parsed{
      header.record_bytes,
      Record{ParseContent(header, place + sizeof(header)), header.timeout_ms}};
}

Result<RingReader::Content> RingReader::ParseContent(
    const RecordHeader& header, const std::byte* body) const {
  std::string text(header.id_bytes, '\0');
  std::memcpy(text.data(), body, text.size());
  auto id = ObjectId::FromText(text);
  if (!id) return id.error();
  const std::byte* const data = body + header.id_bytes;
  auto metadata =
      ParseMetadata(std::span(data + header.data_bytes, header.metadata_bytes));
  if (header.mode == kSealsBlank) {
    if (!metadata) return metadata.error();
    auto blank = ParseBlank(std::move(*id), {data, header.data_bytes});
    if (!blank) return blank.error();
    blank->seal.metadata = std::move(*metadata);
    return Content(std::move(*blank));
  }
  auto small = ParseSmall(header, std::move(*id), data);
  if (!small) return small.error();
  if (!metadata) return metadata.error();
  small->metadata = std::move(*metadata);
  return Content(std::move(*small));
}

Result<SmallObject> RingReader::ParseSmall(const RecordHeader& header,
                                           ObjectId id,
                                           const std::byte* data) const {
  if (header.data_bytes > most_data_bytes_) {
    return Error{Code::kTooLarge, "no small object"};
  }
  if ((header.mode & ~0777U) != 0 || (header.mode & 0004) == 0) {
    return Error{Code::kInvalidArgument, "not to be read by all"};
  }
  return SmallObject{std::move(id),
                     static_cast<mode_t>(header.mode),
                     {data, header.data_bytes}};
}

const MetadataRef& RingReader::Record::metadata() const {
  static const MetadataRef none;
  if (const SmallObject* const object = small()) return object->metadata;
  if (const SubmittedBlank* const submitted = blank()) {
    return submitted->seal.metadata;
  }
  return none;
}

void RingReader::Answer(const std::vector<Status>& answers) {
  if (answers.empty()) return;
  for (size_t i = 0; i < answers.size(); ++i) {
    const uint32_t answer =
        answers[i]
            ? kRecordSealed
            : kRecordFailed | static_cast<uint32_t>(answers[i].error().code);
    ring().results[(answered_ + i) % kRingResults].store(
        answer, std::memory_order_relaxed);
  }
  position_ = ends_[answers.size() - 1];
  ends_.erase(ends_.begin(),
              ends_.begin() + static_cast<ptrdiff_t>(answers.size()));
  answered_ += static_cast<uint32_t>(answers.size());
  ring().answered.store(answered_, std::memory_order_seq_cst);
  if (ring().waiters.load(std::memory_order_seq_cst) != 0) {
    WakeFutex(&ring().answered);
  }
}

}  // namespace vitrine::store
