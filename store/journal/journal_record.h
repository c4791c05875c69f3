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
#include "store/journal/journal_frame.h"

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

// Objects whose bytes are only in the tier from now on.
struct JournaledDeparture {
  std::vector<uint64_t> numbers;
};

// From here on the journal knows of all that is in these external stores
// (Tier::identities).
struct JournaledTiers {
  std::vector<uint64_t> numbers;
};

using JournalRecord =
    std::variant<std::vector<JournaledObject>, JournaledRemoval,
                 JournaledDeparture, JournaledHold, JournaledTiers>;

// The size of a removal or departure record of `count` objects, with its frame.
constexpr size_t RemovalRecordBytes(size_t count) {
  return kFrameBytes + 1 + 8 * count;
}
// The approximate size of an object's record.
size_t SealedRecordBytes(std::string_view id, const Metadata& metadata,
                         bool in_slab);

// True if one record can hold both: small objects with the same slab, creator
// and time of sealing.
bool ShareRecord(const ObjectInfo& left, const ObjectInfo& right);

// A record's payload; see journal_frame.h.  kInvalidArgument: the record is
// longer than a reader accepts.
Result<std::string> EncodeSealed(const ObjectInfo& info,
                                 const Metadata& metadata);
// `objects` has at least one; every two of them share a record.
Result<std::string> EncodeSealedInSlab(
    std::span<const JournaledObject> objects);
std::string EncodeRemoval(std::span<const uint64_t> numbers);
std::string EncodeDeparture(std::span<const uint64_t> numbers);
std::string EncodeHold(const JournaledHold& hold);
std::string EncodeTiers(std::span<const uint64_t> identities);

// kCorruption: the payload makes no sense.
Result<JournalRecord> DecodeRecord(std::string_view payload);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_JOURNAL_JOURNAL_RECORD_H_
