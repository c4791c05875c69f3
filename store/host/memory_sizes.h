// How much of the memory there is a store takes.
#ifndef VITRINE_STORE_HOST_MEMORY_SIZES_H_
#define VITRINE_STORE_HOST_MEMORY_SIZES_H_

#include <vitrine/result.h>

#include <cstdint>

#include "store/base/store_options.h"
#include "store/host/memory_limit.h"

namespace vitrine::store {

struct MemorySizes {
  uint64_t capacity_bytes;   // What objects may take.
  uint64_t overshoot_bytes;  // What writers may take beyond it for a moment.
};

// What `options` asks for, or the defaults: 30% of `limit`, and an eighth of
// the capacity as far as `limit` has it.  Whole pages.  kTooLarge: `limit`
// does not have it.  kInvalidArgument: less than a page.
Result<MemorySizes> ChooseSizes(const StoreOptions& options,
                                const MemoryLimit& limit, uint64_t page_bytes);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_HOST_MEMORY_SIZES_H_
