#ifndef VITRINE_STORE_TIERS_SPILL_READER_H_
#define VITRINE_STORE_TIERS_SPILL_READER_H_

#include "store/tiers/spill_io.h"

namespace vitrine::store {

// Reads a payload and hashes it.  Of a large one, what was read is hashed on
// another thread while the next part is read.
Result<PayloadHash> ReadAndHash(SpillIo* io, uint64_t sequence,
                                uint64_t offset_bytes,
                                std::span<std::byte> bytes);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TIERS_SPILL_READER_H_
