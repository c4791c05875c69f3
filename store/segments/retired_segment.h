// A segment between two lives.
#ifndef VITRINE_STORE_SEGMENTS_RETIRED_SEGMENT_H_
#define VITRINE_STORE_SEGMENTS_RETIRED_SEGMENT_H_

#include <sys/types.h>

#include <compare>
#include <cstdint>

namespace vitrine::store {

// The users who could read a segment's content.
struct Audience {
  uid_t uid = 0;
  gid_t gid = 0;
  mode_t mode = 0;
  uint64_t slab_bytes = 0;  // 0: no slab.

  static Audience OfSlabs(uint64_t slab_bytes) {
    return {.slab_bytes = slab_bytes};
  }
  auto operator<=>(const Audience&) const = default;
};

// A retired segment and its size.
struct RetiredSegment {
  uint64_t number = 0;
  uint64_t allocated_bytes = 0;
  uint64_t size_bytes = 0;
};

// A segment is not cut to less than a quarter, which would lose its pages, nor
// grown to more than four times, which would save too little.
inline constexpr uint64_t kMostRefitRatio = 4;

}  // namespace vitrine::store

#endif  // VITRINE_STORE_SEGMENTS_RETIRED_SEGMENT_H_
