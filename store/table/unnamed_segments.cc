#include "store/table/unnamed_segments.h"

#include <algorithm>
#include <unordered_set>

namespace vitrine::store {

Result<UnnamedSegments> FindUnnamed(const SegmentDir& segments,
                                    const JournalContents& journal) {
  const auto all = segments.ListAll();
  if (!all) return all.error();
  std::unordered_set<uint64_t> named;
  std::unordered_set<uint64_t> departed;
  for (const JournaledObject& object : journal.objects) {
    // A departure was under way if it still has a segment.
    (object.info.elsewhere ? departed : named).insert(object.info.segment());
  }
  UnnamedSegments unnamed;
  for (const uint64_t number : *all) {
    if (named.contains(number)) continue;
    unnamed.numbers.push_back(number);
    if (departed.contains(number)) continue;
    // Its removal was under way.
    if (std::binary_search(journal.removed.begin(), journal.removed.end(),
                           number)) {
      continue;
    }
    const auto sealed_bytes = segments.SealedBytes(number);
    if (!sealed_bytes) return sealed_bytes.error();
    if (!*sealed_bytes) continue;
    ++unnamed.sealed;
    unnamed.sealed_bytes += **sealed_bytes;
  }
  return unnamed;
}

}  // namespace vitrine::store
