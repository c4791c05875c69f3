// The random number that an external store is known by.
#ifndef VITRINE_STORE_TIERS_STORE_IDENTITY_H_
#define VITRINE_STORE_TIERS_STORE_IDENTITY_H_

#include <vitrine/result.h>

#include <cstdint>

#include "store/tiers/spill_io.h"

namespace vitrine::store {

// Reads it from the value "identity", a small value (small_value.h) of eight
// bytes; makes that if there is none.  kCorruption: it is damaged.
Result<uint64_t> ReadOrDrawIdentity(SpillIo* io);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TIERS_STORE_IDENTITY_H_
