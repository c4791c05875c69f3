#include "store/journal/journal_record.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "journal_generated.h"
#include "store/journal/packing.h"

namespace vitrine::store {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

enum class Kind : uint8_t {
  kSealed = 1,
  kInSlab = 2,
  kRemoved = 3,
  kHold = 4,
  kInSlabLabelled = 5,
  kDeparture = 6,
  kTiers = 7
};
constexpr uint64_t kHeldFlag = 1;
constexpr uint64_t kUsedFlag = 2;

// Far more than an id and the most metadata can take.
constexpr uint32_t kMaxPayloadBytes = 4 * 1024 * 1024;

Error Nonsense(const std::string& what) {
  return Error{Code::kCorruption, "journal: " + what};
}

std::string BeginRecord(Kind kind) {
  return std::string(1, static_cast<char>(kind));
}

Result<std::string> EndLongRecord(std::string record) {
  if (record.size() <= kMaxPayloadBytes) return record;
  return Error{Code::kInvalidArgument, "too much metadata to be journaled"};
}

void AppendFixed(uint64_t number, std::string* bytes) {
  bytes->append(reinterpret_cast<const char*>(&number), sizeof(number));
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

Result<MetadataRef> CheckAndShare(Metadata metadata) {
  if (Status status = CheckMetadata(metadata); !status) return status.error();
  return ShareMetadata(std::move(metadata));
}

Result<MetadataRef> ReadMetadata(const journal::Sealed& sealed) {
  Metadata metadata;
  if (sealed.metadata() == nullptr) return MetadataRef();
  for (const journal::MetadataEntry* entry : *sealed.metadata()) {
    std::string& value = metadata[entry->name()->str()];
    if (entry->value() == nullptr) continue;
    value.assign(reinterpret_cast<const char*>(entry->value()->data()),
                 entry->value()->size());
  }
  return CheckAndShare(std::move(metadata));
}

Result<JournalRecord> ReadSealed(const journal::Sealed& sealed) {
  Result<ObjectId> id = ObjectId::FromText(sealed.id()->string_view());
  if (!id) return Nonsense(id.error().message);
  Result<MetadataRef> metadata = ReadMetadata(sealed);
  if (!metadata) return Nonsense(metadata.error().message);
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
                  .hold = sealed.hold()};
  std::vector<JournaledObject> objects;
  objects.push_back({std::move(info), std::move(*metadata)});
  return JournalRecord(std::move(objects));
}

Result<JournalRecord> DecodeSealed(std::string_view bytes) {
  // FlatBuffers needs alignment, which a record within a file lacks.
  const std::vector<uint8_t> aligned(bytes.begin(), bytes.end());
  flatbuffers::Verifier verifier(aligned.data(), aligned.size());
  if (aligned.empty() || !journal::VerifySealedBuffer(verifier)) {
    return Nonsense("a record is no FlatBuffer");
  }
  return ReadSealed(*journal::GetSealed(aligned.data()));
}

void PackText(std::string_view text, std::string* record) {
  PackNumber(text.size(), record);
  *record += text;
}

void PackMetadata(const Metadata& metadata, std::string* record) {
  PackNumber(metadata.size(), record);
  for (const auto& [name, value] : metadata) {
    PackText(name, record);
    PackText(value, record);
  }
}

std::string_view UnpackText(Unpacker* packed) {
  return packed->Bytes(packed->Number());
}

Result<MetadataRef> UnpackMetadata(Unpacker* packed) {
  Metadata metadata;
  for (uint64_t rest = packed->Number(); rest > 0 && packed->ok(); --rest) {
    const std::string_view name = UnpackText(packed);
    metadata.emplace(name, UnpackText(packed));
  }
  return CheckAndShare(std::move(metadata));
}

void PackSmall(const ObjectInfo& info, std::string* record) {
  const bool used = info.use_count > 0 || info.used_ns != info.sealed_ns;
  PackNumber(info.number - info.slab, record);
  PackNumber(info.offset_bytes, record);
  PackNumber(info.size_bytes, record);
  PackNumber(info.mode, record);
  PackNumber((info.hold ? kHeldFlag : 0) | (used ? kUsedFlag : 0), record);
  if (used) {
    PackNumber(static_cast<uint64_t>(info.used_ns - info.sealed_ns), record);
    PackNumber(info.use_count, record);
  }
  PackText(info.id.text(), record);
}

// `shared` has the values that the objects of the record have in common.
Result<JournaledObject> UnpackSmall(const ObjectInfo& shared, bool labelled,
                                    Unpacker* packed) {
  ObjectInfo info = shared;
  info.number = shared.slab + packed->Number();
  info.offset_bytes = packed->Number();
  info.size_bytes = info.charged_bytes = packed->Number();
  info.mode = static_cast<mode_t>(packed->Number());
  const uint64_t flags = packed->Number();
  if (flags > (kHeldFlag | kUsedFlag)) {
    return Nonsense("a small object with unknown flags");
  }
  info.hold = (flags & kHeldFlag) != 0;
  if ((flags & kUsedFlag) != 0) {
    info.used_ns = static_cast<int64_t>(
        static_cast<uint64_t>(shared.sealed_ns) + packed->Number());
    info.use_count = packed->Number();
  }
  Result<ObjectId> id = ObjectId::FromText(UnpackText(packed));
  if (!id) return Nonsense(id.error().message);
  info.id = std::move(*id);
  if (!labelled) return JournaledObject{std::move(info)};
  Result<MetadataRef> metadata = UnpackMetadata(packed);
  if (!metadata) return Nonsense(metadata.error().message);
  return JournaledObject{std::move(info), std::move(*metadata)};
}

Result<JournalRecord> DecodeInSlab(std::string_view bytes, bool labelled) {
  Unpacker packed(bytes);
  ObjectInfo shared{.id = *ObjectId::FromText("-"),
                    .state = ObjectState::kSealed};
  shared.uid = static_cast<uid_t>(packed.Number());
  shared.gid = static_cast<gid_t>(packed.Number());
  shared.creator_pid = static_cast<pid_t>(packed.Number());
  shared.sealed_ns = static_cast<int64_t>(packed.Number());
  shared.created_ns = shared.modified_ns = shared.used_ns = shared.sealed_ns;
  shared.slab = packed.Number();
  // Written while they were elsewhere.
  if (shared.slab == kLeftSlab) MarkElsewhere(&shared);
  const uint64_t count = packed.Number();
  if (shared.slab == 0) return Nonsense("small objects in no slab");
  std::vector<JournaledObject> objects;
  for (uint64_t i = 0; i < count; ++i) {
    Result<JournaledObject> object = UnpackSmall(shared, labelled, &packed);
    if (!object) return object.error();
    objects.push_back(std::move(*object));
  }
  if (!packed.ok() || !packed.at_end()) return Nonsense("odd small objects");
  return JournalRecord(std::move(objects));
}

// `Record` has only numbers.
template <typename Record>
Result<JournalRecord> DecodeNumbers(std::string_view bytes) {
  if (bytes.size() % sizeof(uint64_t) != 0) return Nonsense("half a number");
  Record record;
  record.numbers.resize(bytes.size() / sizeof(uint64_t));
  // memcpy takes no null pointer, even for nothing.
  if (!bytes.empty()) {
    std::memcpy(record.numbers.data(), bytes.data(), bytes.size());
  }
  return JournalRecord(std::move(record));
}

std::string EncodeNumbers(Kind kind, std::span<const uint64_t> numbers) {
  std::string record = BeginRecord(kind);
  for (const uint64_t number : numbers) AppendFixed(number, &record);
  return record;
}

Result<JournalRecord> DecodeHold(std::string_view bytes) {
  JournaledHold hold{};
  if (bytes.size() != sizeof(hold.number) + 1) return Nonsense("an odd hold");
  std::memcpy(&hold.number, bytes.data(), sizeof(hold.number));
  hold.hold = bytes.back() != 0;
  return JournalRecord(hold);
}

}  // namespace

size_t SealedRecordBytes(std::string_view id, const Metadata& metadata,
                         bool in_slab) {
  constexpr size_t kSmallBytes = 50;
  constexpr size_t kOwnBytes = 170;
  const size_t entry_bytes = in_slab ? 4 : 24;
  size_t bytes = id.size() + (in_slab ? kSmallBytes : kOwnBytes);
  for (const auto& [name, value] : metadata) {
    bytes += entry_bytes + name.size() + value.size();
  }
  return bytes;
}

bool ShareRecord(const ObjectInfo& left, const ObjectInfo& right) {
  return left.in_slab() && left.slab == right.slab &&
         left.sealed_ns == right.sealed_ns && left.uid == right.uid &&
         left.gid == right.gid && left.creator_pid == right.creator_pid;
}

Result<std::string> EncodeSealed(const ObjectInfo& info,
                                 const Metadata& metadata) {
  FlatBufferBuilder builder;
  const auto id = builder.CreateString(info.id.text());
  const auto entries = AddMetadata(&builder, metadata);
  builder.Finish(journal::CreateSealed(
      builder, info.number, id, info.size_bytes, info.charged_bytes, info.mode,
      info.uid, info.gid, info.creator_pid, info.created_ns, info.modified_ns,
      info.sealed_ns, info.used_ns, info.use_count, info.hold, entries));
  std::string record = BeginRecord(Kind::kSealed);
  record.append(reinterpret_cast<const char*>(builder.GetBufferPointer()),
                builder.GetSize());
  return EndLongRecord(std::move(record));
}

Result<std::string> EncodeSealedInSlab(
    std::span<const JournaledObject> objects) {
  const ObjectInfo& shared = objects.front().info;
  const bool labelled = std::any_of(
      objects.begin(), objects.end(), [](const JournaledObject& object) {
        return !MetadataOf(object.metadata).empty();
      });
  std::string record =
      BeginRecord(labelled ? Kind::kInSlabLabelled : Kind::kInSlab);
  PackNumber(shared.uid, &record);
  PackNumber(shared.gid, &record);
  PackNumber(static_cast<uint32_t>(shared.creator_pid), &record);
  PackNumber(static_cast<uint64_t>(shared.sealed_ns), &record);
  PackNumber(shared.slab, &record);
  PackNumber(objects.size(), &record);
  for (const JournaledObject& object : objects) {
    PackSmall(object.info, &record);
    if (labelled) PackMetadata(MetadataOf(object.metadata), &record);
  }
  return EndLongRecord(std::move(record));
}

std::string EncodeRemoval(std::span<const uint64_t> numbers) {
  return EncodeNumbers(Kind::kRemoved, numbers);
}

std::string EncodeDeparture(std::span<const uint64_t> numbers) {
  return EncodeNumbers(Kind::kDeparture, numbers);
}

std::string EncodeHold(const JournaledHold& hold) {
  std::string record = BeginRecord(Kind::kHold);
  AppendFixed(hold.number, &record);
  record.push_back(hold.hold ? 1 : 0);
  return record;
}

std::string EncodeTiers(std::span<const uint64_t> identities) {
  return EncodeNumbers(Kind::kTiers, identities);
}

Result<JournalRecord> DecodeRecord(std::string_view payload) {
  if (payload.empty()) return Nonsense("an empty record");
  const std::string_view body = payload.substr(1);
  const auto kind = static_cast<Kind>(payload[0]);
  switch (kind) {
    case Kind::kSealed:
      return DecodeSealed(body);
    case Kind::kInSlab:
    case Kind::kInSlabLabelled:
      return DecodeInSlab(body, kind == Kind::kInSlabLabelled);
    case Kind::kRemoved:
      return DecodeNumbers<JournaledRemoval>(body);
    case Kind::kDeparture:
      return DecodeNumbers<JournaledDeparture>(body);
    case Kind::kHold:
      return DecodeHold(body);
    case Kind::kTiers:
      return DecodeNumbers<JournaledTiers>(body);
  }
  return Nonsense("a record of unknown kind");
}

}  // namespace vitrine::store
