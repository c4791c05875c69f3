// What a value in an external store is: a few objects with all that is known of
// them, because after a reboot nothing else is left.
//
// All integers are little-endian.
//
//   offset bytes what
//        0     8 "VITSPIL" and the version, 1
//        8     8 sequence of the value: the later one of two is newer
//       16     8 size of the head
//       24     8 size of the value
//       32     4 number of objects, at least 1
//       36     4 0
//       40    16 XXH3-128 of the head, with zeros here
//       56     8 0
//       64       for each object, in the order of their payloads:
//                  8 offset of its payload
//                  8 its size
//                 16 its hash (payload_hash.h)
//                  4 flags: 1: it was in a slab
//                  4 size of its attributes
//                    its attributes: a record of the journal
//                    (schema/journal.fbs, kind 1), with its metadata
//                 16 the hash of each of its blocks, if it has several
//   head's size  zeros up to a multiple of 4096
//                the payloads, with zeros between them.  One of 4096 bytes and
//                more begins at a multiple of 4096, a smaller one at one of 64.
//
// The value ends with the last payload.  Its name is "spill-" and the sequence
// in 16 hex digits.
#ifndef VITRINE_STORE_TIERS_SPILL_FORMAT_H_
#define VITRINE_STORE_TIERS_SPILL_FORMAT_H_

#include <vitrine/result.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/tiers/external_store.h"
#include "store/tiers/payload_hash.h"
#include "store/tiers/tier.h"

namespace vitrine::store {

inline constexpr size_t kSpillHeadStartBytes = 64;
// A head is no larger: about 100,000 objects, or one of 4 TiB.
inline constexpr uint64_t kMaxSpillHeadBytes = uint64_t{64} << 20;

// An object of a value.
struct SpilledObject {
  Tier::Found object;
  uint64_t offset_bytes = 0;
  PayloadHash hash = {};
  // One for each block, or none if there is but one.
  std::vector<PayloadHash> block_hashes = {};
};

struct SpillHead {
  uint64_t sequence = 0;
  uint64_t value_bytes = 0;
  std::vector<SpilledObject> objects = {};
};

// Upper limit of what a load adds to a head.
uint64_t SpillEntryBytes(const Tier::Load& load);

// A value that is to be written.  The loads and their bytes must outlive it.
class SpillValue {
 public:
  // `hasher` does what HashBlocks does.
  using Hasher =
      std::function<std::vector<PayloadHash>(std::span<const std::byte>)>;
  // kInvalidArgument: there are none, or the head would be too large.
  static Result<SpillValue> Make(uint64_t sequence,
                                 std::span<const Tier::Load> loads,
                                 const Hasher& hasher = HashBlocks);

  const SpillHead& head() const { return head_; }
  // What the value is made of, for ExternalStoreHandle::Put.
  std::vector<ExternalStoreHandle::Part> Parts() const;

 private:
  SpillValue() = default;

  SpillHead head_;
  std::string head_bytes_;
  std::span<const Tier::Load> loads_;
};

// The size of a head that begins with `start`, of which all of the
// kSpillHeadStartBytes must be there.  kCorruption: it is none.
Result<uint64_t> ReadSpillHeadSize(std::string_view start);
// `head` is all of a head of a value of `value_bytes`.  What it returns was
// checked: each object once, sealed, within the value, none over another.
// kCorruption: it is not what was written.
Result<SpillHead> DecodeSpillHead(std::string_view head, uint64_t value_bytes);

std::string SpillName(uint64_t sequence);
// None: no such name.
std::optional<uint64_t> SequenceOf(std::string_view spill_name);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TIERS_SPILL_FORMAT_H_
