// What surrounds the journal's records, so that a reader finds those again that
// follow damaged bytes (schema/journal.fbs).
//
// The checksums depend on a key that each journal draws by itself.  So nothing
// that a client can write (an id, metadata) looks like a record, wherever a
// reader begins to look.
#ifndef VITRINE_STORE_JOURNAL_JOURNAL_FRAME_H_
#define VITRINE_STORE_JOURNAL_JOURNAL_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vitrine::store {

// Length, checksum of the payload, checksum of these two.
inline constexpr size_t kFrameBytes = 3 * sizeof(uint32_t);
// Two equal copies: one of them may be damaged.
inline constexpr size_t kHeadBytes = 2 * 24;

uint64_t DrawJournalKey();
std::string EncodeHead(uint64_t key);
// The key in the head of a journal; none: both copies are damaged, or it is no
// journal of this version.
std::optional<uint64_t> ReadHead(std::string_view journal);

void AppendFramed(std::string_view payload, uint64_t key, std::string* records);

// What a journal goes on with at some place.
struct FramedBytes {
  enum class State : uint8_t { kRecord, kTorn, kDamaged } state;
  std::string_view payload;  // Of a record.
  size_t size_bytes;         // With the frame; where a reader goes on.
};
// `bytes` is the rest of the journal, not empty.  kTorn: the beginning of a
// record, up to the end.
FramedBytes ReadFramed(std::string_view bytes, uint64_t key);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_JOURNAL_JOURNAL_FRAME_H_
