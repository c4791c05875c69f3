#include "schema/index_layout.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace vitrine {

IndexKey MakeIndexKey(std::string_view id, uint64_t seed) {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(id.data(), id.size(), seed);
  return IndexKey{hash.high64, hash.low64};
}

void WriteSegmentName(uint64_t number, char (&name)[kSegmentNameChars + 1]) {
  for (int digit = kSegmentNameChars - 1; digit >= 0; --digit) {
    name[digit] = "0123456789abcdef"[number & 15];
    number >>= 4;
  }
  name[kSegmentNameChars] = '\0';
}

}  // namespace vitrine
