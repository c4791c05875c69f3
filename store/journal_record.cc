#include "store/journal_record.h"

#include <cstring>
#include <utility>
#include <vector>

#include "journal_generated.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace vitrine {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

constexpr size_t kFrameBytes = sizeof(uint32_t) + sizeof(uint64_t);
// Far above what an id and the most metadata can need.
constexpr uint32_t kMaxPayloadBytes = 4 * 1024 * 1024;

template <typename Body>
std::string Frame(FlatBufferBuilder* builder, Offset<Body> body) {
  builder->Finish(journal::CreateRecord(
      *builder, journal::RecordBodyTraits<Body>::enum_value, body.Union()));
  const uint32_t length = builder->GetSize();
  const uint64_t checksum = XXH3_64bits(builder->GetBufferPointer(), length);
  std::string framed(kFrameBytes + length, '\0');
  std::memcpy(framed.data(), &length, sizeof(length));
  std::memcpy(framed.data() + sizeof(length), &checksum, sizeof(checksum));
  std::memcpy(framed.data() + kFrameBytes, builder->GetBufferPointer(), length);
  return framed;
}

Offset<flatbuffers::Vector<Offset<journal::MetadataEntry>>> AddMetadata(
    FlatBufferBuilder* builder, const Metadata& metadata) {
  std::vector<Offset<journal::MetadataEntry>> entries;
  entries.reserve(metadata.size());
  for (const auto& [name, value] : metadata) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(value.data());
    const auto name_offset = builder->CreateString(name);
    const auto value_offset = builder->CreateVector(bytes, value.size());
    entries.push_back(
        journal::CreateMetadataEntry(*builder, name_offset, value_offset));
  }
  return builder->CreateVector(entries);
}

Result<Metadata> ReadMetadata(const journal::Sealed& sealed) {
  Metadata metadata;
  if (sealed.metadata() == nullptr) return metadata;
  for (const journal::MetadataEntry* entry : *sealed.metadata()) {
    std::string& value = metadata[entry->name()->str()];
    if (entry->value() == nullptr) continue;
    value.assign(reinterpret_cast<const char*>(entry->value()->data()),
                 entry->value()->size());
  }
  Status status = CheckMetadata(metadata);
  if (!status) return status.error();
  return metadata;
}

Result<JournalRecord> ReadSealed(const journal::Sealed& sealed) {
  Result<ObjectId> id = ObjectId::FromText(sealed.id()->string_view());
  if (!id) return Error{Code::kCorruption, "journal: " + id.error().message};
  Result<Metadata> metadata = ReadMetadata(sealed);
  if (!metadata) {
    return Error{Code::kCorruption, "journal: " + metadata.error().message};
  }
  ObjectInfo info{.number = sealed.number(),
                  .id = std::move(*id),
                  .state = ObjectState::kSealed,
                  .size_bytes = sealed.size_bytes(),
                  .charged_bytes = sealed.charged_bytes(),
                  .mode = sealed.mode(),
                  .uid = sealed.uid(),
                  .gid = sealed.gid(),
                  .creator_pid = sealed.creator_pid(),
                  .created_ns = sealed.created_ns(),
                  .modified_ns = sealed.modified_ns(),
                  .sealed_ns = sealed.sealed_ns(),
                  .used_ns = sealed.used_ns(),
                  .use_count = sealed.use_count(),
                  .hold = sealed.hold(),
                  .slab = sealed.slab(),
                  .offset_bytes = sealed.offset_bytes()};
  return JournalRecord(JournaledObject{std::move(info), std::move(*metadata)});
}

}  // namespace

Result<std::string> EncodeSealed(const ObjectInfo& info,
                                 const Metadata& metadata) {
  FlatBufferBuilder builder;
  const auto id = builder.CreateString(info.id.text());
  const auto entries = AddMetadata(&builder, metadata);
  std::string record = Frame(
      &builder,
      journal::CreateSealed(builder, info.number, id, info.size_bytes,
                            info.charged_bytes, info.mode, info.uid, info.gid,
                            info.creator_pid, info.created_ns, info.modified_ns,
                            info.sealed_ns, info.used_ns, info.use_count,
                            info.hold, entries, info.slab, info.offset_bytes));
  if (record.size() > kFrameBytes + kMaxPayloadBytes) {
    return Error{Code::kInvalidArgument, "too much metadata to be journaled"};
  }
  return record;
}

std::string EncodeRemoval(const JournaledRemoval& removal) {
  FlatBufferBuilder builder;
  return Frame(&builder, journal::CreateRemoved(builder, removal.number));
}

std::string EncodeHold(const JournaledHold& hold) {
  FlatBufferBuilder builder;
  return Frame(&builder,
               journal::CreateHoldChanged(builder, hold.number, hold.hold));
}

Result<FramedPayload> UnframeRecord(std::string_view bytes) {
  if (bytes.size() < kFrameBytes) return FramedPayload{{}, 0};
  uint32_t length;
  uint64_t checksum;
  std::memcpy(&length, bytes.data(), sizeof(length));
  std::memcpy(&checksum, bytes.data() + sizeof(length), sizeof(checksum));
  if (length > kMaxPayloadBytes) {
    return Error{Code::kCorruption, "journal: a record of impossible length"};
  }
  if (bytes.size() < kFrameBytes + length) return FramedPayload{{}, 0};
  const std::string_view payload = bytes.substr(kFrameBytes, length);
  if (XXH3_64bits(payload.data(), payload.size()) == checksum) {
    return FramedPayload{payload, kFrameBytes + length};
  }
  if (bytes.size() == kFrameBytes + length) return FramedPayload{{}, 0};
  return Error{Code::kCorruption, "journal: a record has a wrong checksum"};
}

Result<JournalRecord> DecodeRecord(std::string_view payload) {
  // FlatBuffers wants alignment, which a record within a file has not.
  const std::vector<uint8_t> aligned(payload.begin(), payload.end());
  flatbuffers::Verifier verifier(aligned.data(), aligned.size());
  if (aligned.empty() || !journal::VerifyRecordBuffer(verifier)) {
    return Error{Code::kCorruption, "journal: a record is no FlatBuffer"};
  }
  const journal::Record& record = *journal::GetRecord(aligned.data());
  switch (record.body_type()) {
    case journal::RecordBody::Sealed:
      return ReadSealed(*record.body_as_Sealed());
    case journal::RecordBody::Removed:
      return JournalRecord(
          JournaledRemoval{record.body_as_Removed()->number()});
    case journal::RecordBody::HoldChanged:
      return JournalRecord(JournaledHold{record.body_as_HoldChanged()->number(),
                                         record.body_as_HoldChanged()->hold()});
    default:
      return Error{Code::kCorruption, "journal: a record of unknown kind"};
  }
}

}  // namespace vitrine
