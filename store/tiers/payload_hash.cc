#include "store/tiers/payload_hash.h"

#include <algorithm>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace vitrine::store {
namespace {

PayloadHash HashOfAll(std::span<const std::byte> bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.low64, hash.high64};
}

}  // namespace

uint64_t CountHashBlocks(uint64_t size_bytes) {
  const bool rest = size_bytes % kHashBlockBytes != 0;
  return std::max<uint64_t>(size_bytes / kHashBlockBytes + (rest ? 1 : 0), 1);
}

PayloadHash HashBlock(std::span<const std::byte> object, uint64_t block) {
  const uint64_t begin = block * kHashBlockBytes;
  return HashOfAll(object.subspan(
      begin, std::min<uint64_t>(kHashBlockBytes, object.size() - begin)));
}

PayloadHash CombineHashes(std::span<const PayloadHash> blocks) {
  return blocks.size() == 1 ? blocks[0] : HashOfAll(std::as_bytes(blocks));
}

std::vector<PayloadHash> HashBlocks(std::span<const std::byte> object) {
  std::vector<PayloadHash> hashes(CountHashBlocks(object.size()));
  for (size_t i = 0; i < hashes.size(); ++i) hashes[i] = HashBlock(object, i);
  return hashes;
}

PayloadHash HashPayload(std::span<const std::byte> object) {
  if (object.size() <= kHashBlockBytes) return HashOfAll(object);
  return CombineHashes(HashBlocks(object));
}

}  // namespace vitrine::store
