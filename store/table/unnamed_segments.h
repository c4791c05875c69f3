// Segments that a killed store left and that its journal does not name.
#ifndef VITRINE_STORE_TABLE_UNNAMED_SEGMENTS_H_
#define VITRINE_STORE_TABLE_UNNAMED_SEGMENTS_H_

#include <vitrine/result.h>

#include <cstdint>
#include <vector>

#include "store/journal/journal_replay.h"
#include "store/segments/segment_dir.h"

namespace vitrine::store {

struct UnnamedSegments {
  std::vector<uint64_t> numbers;
  // Of them, those of sealed objects, or of slabs: nobody may write to them.
  // With a whole journal that is at most the open slab, still without objects.
  uint64_t sealed = 0;
  uint64_t sealed_bytes = 0;
};
Result<UnnamedSegments> FindUnnamed(const SegmentDir& segments,
                                    const JournalContents& journal);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TABLE_UNNAMED_SEGMENTS_H_
