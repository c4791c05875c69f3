// Large payloads, in pieces that several threads take.
#ifndef VITRINE_STORE_TIERS_PIECEWISE_H_
#define VITRINE_STORE_TIERS_PIECEWISE_H_

#include <vitrine/result.h>

#include <cstddef>
#include <span>
#include <vector>

#include "store/tiers/crew.h"
#include "store/tiers/payload_hash.h"
#include "store/tiers/spill_io.h"

namespace vitrine::store {

// As HashBlocks.
std::vector<PayloadHash> HashInPieces(std::span<const std::byte> object,
                                      Crew* crew);

// Fills `bytes` from a value, and hashes what it read while that is still in
// the cache.
Result<PayloadHash> ReadInPieces(uint64_t sequence, uint64_t offset_bytes,
                                 std::span<std::byte> bytes, SpillIo* io,
                                 Crew* crew);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TIERS_PIECEWISE_H_
