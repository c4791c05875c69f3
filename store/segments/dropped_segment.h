// A segment that no object needs any more.
#ifndef VITRINE_STORE_SEGMENTS_DROPPED_SEGMENT_H_
#define VITRINE_STORE_SEGMENTS_DROPPED_SEGMENT_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "store/accounts/accounts.h"
#include "store/segments/segment_file.h"
#include "store/segments/segment_pool.h"

namespace vitrine::store {

// A segment that no object names and whose memory is to be freed.
struct DroppedSegment {
  uint64_t number = 0;
  // Null: it could not be opened, or is not kept open, as it is retired.
  std::shared_ptr<SegmentFile> file = {};
  uint64_t charged_bytes = 0;
  // Who pays for it until it is given back.  None: a slab is nobody's.
  std::optional<Payer> payer = {};
  // Not 0: the segment is retired, under this number.
  uint64_t retired_number = 0;
  // Set: it may be recycled; the audience that could read it.
  std::optional<Audience> retired_from = {};
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_SEGMENTS_DROPPED_SEGMENT_H_
