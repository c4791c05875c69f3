// What tells whether the bytes of an object are those that were put.
//
// Each MiB of them, and the rest, is a block with its XXH3-128.  The hash of an
// object of several blocks is the XXH3-128 of those of its blocks.  So blocks
// can be hashed on several threads and in any order, a range can be verified
// without the rest, and all of it takes one pass.
#ifndef VITRINE_STORE_TIERS_PAYLOAD_HASH_H_
#define VITRINE_STORE_TIERS_PAYLOAD_HASH_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace vitrine::store {

inline constexpr uint64_t kHashBlockBytes = uint64_t{1} << 20;

struct PayloadHash {
  uint64_t low = 0;
  uint64_t high = 0;
  friend bool operator==(const PayloadHash&, const PayloadHash&) = default;
};

// At least one.
uint64_t CountHashBlocks(uint64_t size_bytes);
// The block with that number, of the bytes of an object.
PayloadHash HashBlock(std::span<const std::byte> object, uint64_t block);
// `blocks` are the hashes of all blocks of an object.
PayloadHash CombineHashes(std::span<const PayloadHash> blocks);

std::vector<PayloadHash> HashBlocks(std::span<const std::byte> object);
PayloadHash HashPayload(std::span<const std::byte> object);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TIERS_PAYLOAD_HASH_H_
