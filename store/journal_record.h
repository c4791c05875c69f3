// The records of the journal as bytes and back (schema/journal.fbs).
#ifndef VITRINE_STORE_JOURNAL_RECORD_H_
#define VITRINE_STORE_JOURNAL_RECORD_H_

#include <vitrine/metadata.h>
#include <vitrine/result.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "store/object.h"

namespace vitrine {

struct JournaledObject {
  ObjectInfo info;
  Metadata metadata;
};

struct JournaledRemoval {
  uint64_t number;
};

struct JournaledHold {
  uint64_t number;
  bool hold;
};

using JournalRecord =
    std::variant<JournaledObject, JournaledRemoval, JournaledHold>;

// Framed: length, checksum, payload.  kInvalidArgument: no reader would take a
// record of that length.
Result<std::string> EncodeSealed(const ObjectInfo& info,
                                 const Metadata& metadata);
std::string EncodeRemoval(const JournaledRemoval& removal);
std::string EncodeHold(const JournaledHold& hold);

// The payload of the record that `bytes` begin with, and its size with frame.
struct FramedPayload {
  std::string_view payload;
  size_t record_bytes;  // 0: a torn tail, no whole record.
};
// A part of a record is a torn tail, and so is a last one with a wrong
// checksum.  kCorruption: anything else that is no record.
Result<FramedPayload> UnframeRecord(std::string_view bytes);

// kCorruption: the payload makes no sense.
Result<JournalRecord> DecodeRecord(std::string_view payload);

}  // namespace vitrine

#endif  // VITRINE_STORE_JOURNAL_RECORD_H_
