// The client's side of the index (schema/index_layout.h).
#ifndef VITRINE_CLIENT_INDEX_INDEX_READER_H_
#define VITRINE_CLIENT_INDEX_INDEX_READER_H_

#include <vitrine/result.h>

#include <cstdint>
#include <span>
#include <string_view>

#include "schema/base/mapping.h"
#include "schema/index_layout.h"

namespace vitrine {

// Owns a read-only mapping of the index.  Thread-safe: it only reads, and it
// checks every value before use.
class IndexReader {
 public:
  // Maps `fd`.  kCorruption: the file is no index, or contradicts its own size.
  // kVersionMismatch: an index of another version.
  static Result<IndexReader> Open(int fd);

  // A copy of a slot, and the data to check whether the copy is still true.
  struct Entry {
    uint32_t slot;
    uint32_t bucket;
    uint32_t bucket_version;
    uint32_t flags;
    uint64_t word;
    uint64_t number;
    uint64_t segment;
    uint64_t offset;
    uint64_t size_bytes;
  };
  enum class Outcome : uint8_t {
    kFound,
    kAbsent,  // Neither sealed nor on its way out, at this moment.
    // Sealed, but not in memory: ask the store for it (Want).
    kElsewhere,
    kBusy,     // The store is changing it: ask again in a moment.
    kCorrupt,  // The chain makes no sense.
  };
  // Steps 1 and 2 of the reader.  Sets `*entry` if it returns kFound.
  Outcome Find(std::string_view id, Entry* entry) const;

  // The bucket of `id`.
  uint32_t BucketOf(std::string_view id) const;
  // Changes whenever the bucket's chain does; a futex.
  const std::atomic<uint32_t>& VersionOf(uint32_t bucket) const {
    return buckets_[bucket].version;
  }

  // Brings the cache lines that Find will read for `ids` into the cache, all at
  // once; among millions of objects each would be a miss of its own.  At most
  // kMostPrefetched ids.
  void Prefetch(std::span<const std::string_view> ids) const;
  static constexpr size_t kMostPrefetched = 32;

  // Step 4.  The caller has made the object undroppable before, by a seq_cst
  // store of a pin or by a mapping.
  bool StillTrue(const Entry& entry) const;

 private:
  IndexReader(Mapping mapping, const IndexHeader& header);

  Outcome Walk(const IndexKey& key, uint32_t head, Entry* entry) const;

  Mapping mapping_;
  uint64_t seed_;
  uint32_t bucket_count_;
  uint32_t slot_count_;
  const IndexBucket* buckets_;
  const IndexSlot* slots_;
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_INDEX_INDEX_READER_H_
