#include "store/tiers/spill_format.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <unordered_set>
#include <utility>
#include <variant>

#include "store/journal/journal_record.h"
#include "store/journal/packing.h"
#include "store/tiers/sequence_name.h"

namespace vitrine::store {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kSpillMagic("VITSPIL\x01", 8);
constexpr std::string_view kSpillPrefix = "spill-";
constexpr uint32_t kInSlabFlag = 1;
constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kSmallAlignBytes = 64;
constexpr size_t kEntryFixedBytes = 40;

struct HeadStart {
  std::array<char, 8> magic;
  uint64_t sequence;
  uint64_t head_bytes;
  uint64_t value_bytes;
  uint32_t count;
  uint32_t zero;
  PayloadHash hash;
  uint64_t more_zero;
};
static_assert(sizeof(HeadStart) == kSpillHeadStartBytes);

struct EntryStart {
  uint64_t offset_bytes;
  uint64_t size_bytes;
  PayloadHash hash;
  uint32_t flags;
  uint32_t attribute_bytes;
};
static_assert(sizeof(EntryStart) == kEntryFixedBytes);

constexpr std::array<std::byte, kPageBytes> kZeros = {};

Error BadHead(const std::string& what) {
  return {Code::kCorruption, "spilled value: " + what};
}

uint64_t RoundUp(uint64_t bytes, uint64_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

// Where a payload begins that follows `end_bytes`.
uint64_t PlaceOf(uint64_t end_bytes, uint64_t size_bytes) {
  return RoundUp(end_bytes,
                 size_bytes >= kPageBytes ? kPageBytes : kSmallAlignBytes);
}

// How many hashes of blocks an entry has.
uint64_t CountBlockHashes(uint64_t size_bytes) {
  const uint64_t blocks = CountHashBlocks(size_bytes);
  return blocks > 1 ? blocks : 0;
}

template <typename T>
void AppendRaw(const T& value, std::string* bytes) {
  bytes->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

// Of untrusted bytes; all zeros if they are not there, and then not ok().
template <typename T>
T UnpackRaw(Unpacker* packed) {
  T value{};
  const std::string_view bytes = packed->Bytes(sizeof(value));
  if (!bytes.empty()) std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

// --- encode ---

SpilledObject DescribeLoad(const Tier::Load& load,
                           const SpillValue::Hasher& hasher) {
  SpilledObject spilled{.object = {load.info, load.metadata}};
  spilled.block_hashes = hasher(load.bytes);
  spilled.hash = CombineHashes(spilled.block_hashes);
  if (spilled.block_hashes.size() == 1) spilled.block_hashes.clear();
  return spilled;
}

Status AppendEntry(const SpilledObject& spilled, std::string* head) {
  const ObjectInfo& info = spilled.object.info;
  const auto attributes =
      EncodeSealed(info, MetadataOf(spilled.object.metadata));
  if (!attributes) return attributes.error();
  AppendRaw(
      EntryStart{.offset_bytes = spilled.offset_bytes,
                 .size_bytes = info.size_bytes,
                 .hash = spilled.hash,
                 .flags = info.in_slab() ? kInSlabFlag : 0,
                 .attribute_bytes = static_cast<uint32_t>(attributes->size())},
      head);
  *head += *attributes;
  for (const PayloadHash& hash : spilled.block_hashes) AppendRaw(hash, head);
  return Status();
}

// The hash of a head in whose place of the hash are zeros.
PayloadHash HashHead(std::string_view head) {
  return HashPayload(std::as_bytes(std::span(head)));
}

Status EncodeEntries(const SpillHead& head, std::string* bytes) {
  bytes->assign(kSpillHeadStartBytes, '\0');
  for (const SpilledObject& spilled : head.objects) {
    if (Status added = AppendEntry(spilled, bytes); !added) return added;
  }
  if (bytes->size() <= kMaxSpillHeadBytes) return Status();
  return Error{Code::kInvalidArgument, "too many objects for one value"};
}

void SealHead(const SpillHead& head, std::string* bytes) {
  HeadStart start{.magic = {},
                  .sequence = head.sequence,
                  .head_bytes = bytes->size(),
                  .value_bytes = head.value_bytes,
                  .count = static_cast<uint32_t>(head.objects.size()),
                  .zero = 0,
                  .hash = {},
                  .more_zero = 0};
  std::copy(kSpillMagic.begin(), kSpillMagic.end(), start.magic.begin());
  std::memcpy(bytes->data(), &start, sizeof(start));
  start.hash = HashHead(*bytes);
  std::memcpy(bytes->data(), &start, sizeof(start));
}

// Places the payloads behind a head of that size.
void PlacePayloads(uint64_t head_bytes, SpillHead* head) {
  uint64_t end_bytes = RoundUp(head_bytes, kPageBytes);
  for (SpilledObject& spilled : head->objects) {
    const uint64_t size_bytes = spilled.object.info.size_bytes;
    spilled.offset_bytes = PlaceOf(end_bytes, size_bytes);
    end_bytes = spilled.offset_bytes + size_bytes;
  }
  head->value_bytes = end_bytes;
}

// --- decode ---

Result<Tier::Found> DecodeAttributes(std::string_view bytes,
                                     const EntryStart& entry) {
  auto record = DecodeRecord(bytes);
  if (!record) return BadHead(record.error().message);
  auto* const objects = std::get_if<std::vector<JournaledObject>>(&*record);
  if (objects == nullptr || objects->size() != 1 ||
      objects->front().info.slab) {
    return BadHead("attributes of another kind");
  }
  JournaledObject& object = objects->front();
  if (object.info.number == 0 || object.info.size_bytes != entry.size_bytes) {
    return BadHead("attributes of another object");
  }
  if ((entry.flags & kInSlabFlag) != 0) object.info.slab = kLeftSlab;
  return Tier::Found{std::move(object.info), std::move(object.metadata)};
}

// The last payload so far ends at `end_bytes`.
Status CheckPlace(const EntryStart& entry, uint64_t end_bytes,
                  uint64_t value_bytes) {
  if (entry.size_bytes > value_bytes ||
      entry.offset_bytes > value_bytes - entry.size_bytes) {
    return BadHead("an object beyond its end");
  }
  if (entry.offset_bytes != PlaceOf(end_bytes, entry.size_bytes)) {
    return BadHead("an object at an odd place");
  }
  if (entry.flags > kInSlabFlag) return BadHead("unknown flags");
  return Status();
}

Result<SpilledObject> DecodeEntry(uint64_t end_bytes, uint64_t value_bytes,
                                  Unpacker* packed) {
  const auto entry = UnpackRaw<EntryStart>(packed);
  const std::string_view attributes = packed->Bytes(entry.attribute_bytes);
  if (!packed->ok()) return BadHead("half an object");
  if (Status ok = CheckPlace(entry, end_bytes, value_bytes); !ok) {
    return ok.error();
  }
  auto found = DecodeAttributes(attributes, entry);
  if (!found) return found.error();
  SpilledObject spilled{.object = *std::move(found),
                        .offset_bytes = entry.offset_bytes,
                        .hash = entry.hash};
  for (uint64_t i = CountBlockHashes(entry.size_bytes); i > 0; --i) {
    spilled.block_hashes.push_back(UnpackRaw<PayloadHash>(packed));
    if (!packed->ok()) return BadHead("too few hashes of blocks");
  }
  if (!spilled.block_hashes.empty() &&
      CombineHashes(spilled.block_hashes) != spilled.hash) {
    return BadHead("hashes that do not fit");
  }
  return spilled;
}

Result<HeadStart> ReadStart(std::string_view head) {
  HeadStart start{};
  if (head.size() < sizeof(start)) return BadHead("it is too short");
  std::memcpy(&start, head.data(), sizeof(start));
  if (std::string_view(start.magic.data(), start.magic.size()) != kSpillMagic) {
    return BadHead("it is of another kind or version");
  }
  if (start.head_bytes < sizeof(start) ||
      start.head_bytes > kMaxSpillHeadBytes ||
      start.head_bytes > start.value_bytes || start.value_bytes > INT64_MAX) {
    return BadHead("its sizes make no sense");
  }
  return start;
}

Status CheckHash(std::string_view head, const HeadStart& start) {
  HeadStart without = start;
  without.hash = {};
  std::string hashed(head);
  std::memcpy(hashed.data(), &without, sizeof(without));
  return HashHead(hashed) == start.hash ? Status()
                                        : BadHead("the head is damaged");
}

Status DecodeObjects(const HeadStart& start, Unpacker* packed,
                     SpillHead* head) {
  std::unordered_set<uint64_t> numbers;
  uint64_t end_bytes = RoundUp(start.head_bytes, kPageBytes);
  for (uint32_t i = 0; i < start.count; ++i) {
    auto spilled = DecodeEntry(end_bytes, start.value_bytes, packed);
    if (!spilled) return spilled.error();
    const ObjectInfo& info = spilled->object.info;
    if (!numbers.insert(info.number).second) return BadHead("one object twice");
    end_bytes = spilled->offset_bytes + info.size_bytes;
    head->objects.push_back(*std::move(spilled));
  }
  if (!packed->ok() || !packed->at_end() || end_bytes != start.value_bytes) {
    return BadHead("it does not end where it should");
  }
  return Status();
}

}  // namespace

uint64_t SpillEntryBytes(const Tier::Load& load) {
  constexpr uint64_t kSomeBytes = 64;  // More than FlatBuffers adds.
  return kEntryFixedBytes + kSomeBytes +
         2 * SealedRecordBytes(load.info.id.text(), MetadataOf(load.metadata),
                               false) +
         CountBlockHashes(load.bytes.size()) * sizeof(PayloadHash);
}

Result<SpillValue> SpillValue::Make(uint64_t sequence,
                                    std::span<const Tier::Load> loads,
                                    const Hasher& hasher) {
  if (loads.empty()) {
    return Error{Code::kInvalidArgument, "a value of no objects"};
  }
  SpillValue value;
  value.loads_ = loads;
  value.head_.sequence = sequence;
  for (const Tier::Load& load : loads) {
    value.head_.objects.push_back(DescribeLoad(load, hasher));
  }
  // The sizes of entries do not depend on the places, which depend on them.
  if (Status ok = EncodeEntries(value.head_, &value.head_bytes_); !ok) {
    return ok.error();
  }
  PlacePayloads(value.head_bytes_.size(), &value.head_);
  if (Status ok = EncodeEntries(value.head_, &value.head_bytes_); !ok) {
    return ok.error();
  }
  SealHead(value.head_, &value.head_bytes_);
  return value;
}

std::vector<ExternalStoreHandle::Part> SpillValue::Parts() const {
  std::vector<ExternalStoreHandle::Part> parts;
  uint64_t end_bytes = 0;
  const auto append = [&](uint64_t offset_bytes,
                          std::span<const std::byte> bytes) {
    if (offset_bytes > end_bytes) {
      parts.push_back(std::span(kZeros).first(offset_bytes - end_bytes));
    }
    if (!bytes.empty()) parts.push_back(bytes);
    end_bytes = offset_bytes + bytes.size();
  };
  append(0, std::as_bytes(std::span(head_bytes_)));
  for (size_t i = 0; i < loads_.size(); ++i) {
    append(head_.objects[i].offset_bytes, loads_[i].bytes);
  }
  return parts;
}

Result<uint64_t> ReadSpillHeadSize(std::string_view start) {
  const auto read = ReadStart(start);
  if (!read) return read.error();
  return read->head_bytes;
}

Result<SpillHead> DecodeSpillHead(std::string_view head, uint64_t value_bytes) {
  const auto start = ReadStart(head);
  if (!start) return start.error();
  if (start->head_bytes != head.size() || start->value_bytes != value_bytes) {
    return BadHead("it has another size than was written");
  }
  if (start->zero != 0 || start->more_zero != 0 || start->count == 0) {
    return BadHead("its head makes no sense");
  }
  if (Status ok = CheckHash(head, *start); !ok) return ok.error();
  SpillHead decoded{.sequence = start->sequence, .value_bytes = value_bytes};
  Unpacker packed(head.substr(kSpillHeadStartBytes));
  if (Status ok = DecodeObjects(*start, &packed, &decoded); !ok) {
    return ok.error();
  }
  return decoded;
}

std::string SpillName(uint64_t sequence) {
  return SequenceName(kSpillPrefix, sequence);
}

std::optional<uint64_t> SequenceOf(std::string_view spill_name) {
  return ParseSequenceName(kSpillPrefix, spill_name);
}

}  // namespace vitrine::store
