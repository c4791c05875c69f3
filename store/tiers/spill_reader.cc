#include "store/tiers/spill_reader.h"

namespace vitrine::store {

Result<PayloadHash> ReadAndHash(SpillIo* io, uint64_t sequence,
                                uint64_t offset_bytes,
                                std::span<std::byte> bytes) {
  if (bytes.empty()) return HashPayload(bytes);
  const Status got = io->Get(sequence, offset_bytes, bytes);
  if (!got) return got.error();
  return HashPayload(bytes);
}

}  // namespace vitrine::store
