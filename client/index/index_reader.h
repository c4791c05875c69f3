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
    uint32_t bucket;  // The first of its chain.
    uint32_t bucket_version;
    uint8_t flags;
    const std::atomic<uint64_t>* word_now;
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

  // The group of keys to which that of `id` belongs.
  uint32_t GroupOf(std::string_view id) const;
  // Changes whenever the chain that begins at `bucket` does; a futex.
  const std::atomic<uint32_t>& VersionOf(uint32_t bucket) const {
    return buckets_[bucket].version;
  }

  // Brings the cache lines that Find will read for `ids` into the cache, all at
  // once; among millions of objects each would be a miss of its own.
  void Prefetch(std::span<const std::string_view> ids) const;
  // As many ids at a time are worth it.
  static constexpr size_t kMostPrefetched = 32;

  // Step 4.  The caller has made the object undroppable before, by a seq_cst
  // store of a pin or by a mapping.
  bool StillTrue(const Entry& entry) const;

 private:
  IndexReader(Mapping mapping, const IndexHeader& header);

  // The number of buckets that begin a chain; 0: the index makes no sense.
  uint32_t BucketCount() const;
  Outcome Walk(const IndexKey& key, uint32_t first, Entry* entry) const;
  static bool Read(const IndexBucket& bucket, size_t number,
                   const IndexKey& key, Entry* entry);

  Mapping mapping_;
  uint64_t seed_;
  uint32_t bucket_limit_;
  uint32_t all_buckets_;  // With those for overflow.
  const IndexSize* size_;
  const IndexBucket* buckets_;
};

}  // namespace vitrine

#endif  // VITRINE_CLIENT_INDEX_INDEX_READER_H_
