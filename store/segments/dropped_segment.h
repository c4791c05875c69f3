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

// A segment whose name is gone and whose memory is to be freed.
struct DroppedSegment {
  uint64_t number = 0;
  std::shared_ptr<SegmentFile> file = {};  // Null: it could not be opened.
  uint64_t charged_bytes = 0;
  // Who pays for it until it is given back.  None: a slab is nobody's.
  std::optional<Payer> payer = {};
  // Set: the segment is retired, under the number below; the audience that
  // could read it.
  std::optional<Audience> retired_from = {};
  uint64_t retired_number = 0;
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_SEGMENTS_DROPPED_SEGMENT_H_
