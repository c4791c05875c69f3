// The records of the journal as bytes and back (schema/journal.fbs).
#ifndef VITRINE_STORE_JOURNAL_JOURNAL_RECORD_H_
#define VITRINE_STORE_JOURNAL_JOURNAL_RECORD_H_

#include <vitrine/metadata.h>
#include <vitrine/result.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "store/base/metadata.h"
#include "store/base/object.h"

namespace vitrine::store {

struct JournaledObject {
  ObjectInfo info;
  MetadataRef metadata = nullptr;
};

struct JournaledRemoval {
  std::vector<uint64_t> numbers;
};

struct JournaledHold {
  uint64_t number;
  bool hold;
};

using JournalRecord =
    std::variant<std::vector<JournaledObject>, JournaledRemoval, JournaledHold>;

// The size of a removal record of `count` objects.
constexpr size_t RemovalRecordBytes(size_t count) { return 9 + 8 * count; }
// The approximate size of an object's record.
size_t SealedRecordBytes(std::string_view id, const Metadata& metadata,
                         bool in_slab);

// True if one record can hold both: small objects with the same slab, creator
// and time of sealing.
bool ShareRecord(const ObjectInfo& left, const ObjectInfo& right);

// Framed: length, checksum, payload.  kInvalidArgument: the record is longer
// than a reader accepts.
Result<std::string> EncodeSealed(const ObjectInfo& info,
                                 const Metadata& metadata);
// `objects` has at least one; every two of them share a record.
Result<std::string> EncodeSealedInSlab(
    std::span<const JournaledObject> objects);
std::string EncodeRemoval(std::span<const uint64_t> numbers);
std::string EncodeHold(const JournaledHold& hold);

// The payload of the first record of `bytes`, and the record's size with frame.
struct FramedPayload {
  std::string_view payload;
  size_t record_bytes;  // 0: a torn tail, no whole record.
};
// A part of a record is a torn tail.  So is a last record with a wrong
// checksum. kCorruption: any other bytes that are no record.
Result<FramedPayload> UnframeRecord(std::string_view bytes);

// kCorruption: the payload makes no sense.
Result<JournalRecord> DecodeRecord(std::string_view payload);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_JOURNAL_JOURNAL_RECORD_H_
