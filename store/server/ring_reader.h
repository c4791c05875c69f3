// The store's end of one client's submission ring (schema/submission_ring.h).
#ifndef VITRINE_STORE_SERVER_RING_READER_H_
#define VITRINE_STORE_SERVER_RING_READER_H_

#include <vitrine/result.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "schema/base/mapping.h"
#include "schema/submission_ring.h"
#include "store/server/session_blanks.h"
#include "store/store.h"

namespace vitrine::store {

// Reads records and answers them.  Trusts no value in the ring.  Not
// thread-safe.
class RingReader {
 public:
  struct Shape {
    uint64_t bytes = kRingBytes;  // IsRingSize.
    uint32_t first_record = 0;    // See protocol.fbs, OpenRing.
  };
  // Makes a ring.  `ring` is a writable descriptor for the client.
  struct Made;
  static Result<Made> Make(uint64_t most_data_bytes, const Shape& shape);

  using SubmittedBlank = SessionBlanks::Seal;
  struct Record {
    // kInvalidArgument, kTooLarge: the answer to the record.  The bytes of a
    // small object are in the ring, and the client may still change them.
    Result<std::variant<SmallObject, SubmittedBlank>> content;
    int64_t timeout_ms;

    // Null: it is none.
    const SmallObject* small() const {
      return content ? std::get_if<SmallObject>(&*content) : nullptr;
    }
    const SubmittedBlank* blank() const {
      return content ? std::get_if<SubmittedBlank>(&*content) : nullptr;
    }
    const MetadataRef& metadata() const;
  };
  // Appends the next records to `records`, at most `most`.  kCorruption: the
  // next bytes are no record; the ring cannot be read any more.
  Status Read(size_t most, std::vector<Record>* records);
  // Answers the first `answers.size()` of the records that were read, and
  // removes them from the records to be answered.
  void Answer(const std::vector<Status>& answers);

  bool HasMore() const;
  uint64_t bytes() const { return bytes_; }
  // For the end: the client may keep the ring mapped for ever.
  void FreePages() const { mapping_.FreePages(); }
  // Tells the client whether to ring the bell.  Sequentially consistent.
  void SetStoreSleeps(bool sleeps);

 private:
  RingReader(Mapping mapping, uint64_t most_data_bytes, const Shape& shape)
      : mapping_(std::move(mapping)),
        most_data_bytes_(most_data_bytes),
        bytes_(shape.bytes),
        answered_(shape.first_record) {}

  struct Parsed {
    uint64_t record_bytes;
    std::optional<Record> record;  // None: a filler.
  };
  SubmissionRing& ring() const {
    return *reinterpret_cast<SubmissionRing*>(mapping_.data());
  }
  Result<Parsed> Parse(uint64_t position, uint64_t end) const;
  using Content = std::variant<SmallObject, SubmittedBlank>;
  Result<Content> ParseContent(const RecordHeader& header,
                               const std::byte* body) const;
  Result<SmallObject> ParseSmall(const RecordHeader& header, ObjectId id,
                                 const std::byte* data) const;

  Mapping mapping_;
  uint64_t most_data_bytes_;
  uint64_t bytes_;
  uint64_t position_ = 0;       // All before it are answered.
  std::vector<uint64_t> ends_;  // Of the records that Read returned.
  uint32_t answered_;           // Modulo 2^32, with the former rings.
};

struct RingReader::Made {
  RingReader reader;
  UniqueFd ring;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_SERVER_RING_READER_H_
