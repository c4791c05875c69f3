#include "client/index/index_reader.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

namespace vitrine {
namespace {

Error CorruptIndex(const std::string& what) {
  return Error{Code::kCorruption, "the index of the store: " + what};
}

// True if `count` elements of `size_bytes` fit at `offset` into `file_bytes`.
bool Fits(uint64_t offset, uint64_t count, uint64_t size_bytes,
          uint64_t file_bytes) {
  return offset >= kIndexSizeOffset + sizeof(IndexSize) &&
         offset <= file_bytes && count <= (file_bytes - offset) / size_bytes;
}

Status CheckHeader(const IndexHeader& header, uint64_t file_bytes) {
  if (header.magic != kIndexMagic) return CorruptIndex("it is none");
  if (header.version != kIndexVersion) {
    return Error{Code::kVersionMismatch, "the index of the store has version " +
                                             std::to_string(header.version) +
                                             ", not " +
                                             std::to_string(kIndexVersion)};
  }
  const uint64_t buckets =
      uint64_t{header.bucket_limit} + header.overflow_limit;
  // Half of what 32 bits hold: IndexBucketOf rounds up to a power of two.
  if (header.bucket_limit == 0 || header.bucket_limit > 1U << 31 ||
      buckets > UINT32_MAX) {
    return CorruptIndex("the number of buckets makes no sense");
  }
  if (header.buckets_offset % alignof(IndexBucket) != 0 ||
      !Fits(header.buckets_offset, buckets, sizeof(IndexBucket), file_bytes)) {
    return CorruptIndex("its buckets are not within the file");
  }
  return {};
}

// One wait for memory instead of up to four.
void PrefetchAll(const IndexBucket& bucket) {
  const auto* line = reinterpret_cast<const std::byte*>(&bucket);
  for (size_t i = 0; i < sizeof(IndexBucket); i += alignof(IndexBucket)) {
    __builtin_prefetch(line + i);
  }
}

IndexReader::Outcome OutcomeOf(SlotState state) {
  switch (state) {
    case SlotState::kSealed:
      return IndexReader::Outcome::kFound;
    case SlotState::kElsewhere:
      return IndexReader::Outcome::kElsewhere;
    default:
      return IndexReader::Outcome::kBusy;
  }
}

}  // namespace

Result<IndexReader> IndexReader::Open(int fd) {
  struct stat info = {};
  if (::fstat(fd, &info) != 0) return ErrnoError("fstat the index", errno);
  const auto file_bytes = static_cast<uint64_t>(info.st_size);
  if (!S_ISREG(info.st_mode) || file_bytes < kIndexSizeOffset) {
    return CorruptIndex("it is no file, or too short");
  }
  auto mapping = Mapping::Map(fd, file_bytes, PROT_READ);
  if (!mapping) return mapping.error();
  IndexHeader header;  // A copy, which cannot change after it was checked.
  std::memcpy(&header, mapping->data(), sizeof(header));
  auto sound = CheckHeader(header, file_bytes);
  if (!sound) return sound.error();
  return IndexReader(std::move(*mapping), header);
}

IndexReader::IndexReader(Mapping mapping, const IndexHeader& header)
    : mapping_(std::move(mapping)),
      seed_(header.seed),
      bucket_limit_(header.bucket_limit),
      all_buckets_(header.bucket_limit + header.overflow_limit),
      size_(reinterpret_cast<const IndexSize*>(mapping_.data() +
                                               kIndexSizeOffset)),
      buckets_(reinterpret_cast<const IndexBucket*>(mapping_.data() +
                                                    header.buckets_offset)) {}

uint32_t IndexReader::BucketCount() const {
  const uint32_t count = size_->bucket_count.load(std::memory_order_acquire);
  return count <= bucket_limit_ ? count : 0;
}

IndexReader::Outcome IndexReader::Find(std::string_view id,
                                       Entry* entry) const {
  const IndexKey key = MakeIndexKey(id, seed_);
  const uint32_t count = BucketCount();
  if (count == 0) return Outcome::kCorrupt;
  entry->bucket = IndexBucketOf(key, count);
  const IndexBucket& first = buckets_[entry->bucket];
  PrefetchAll(first);
  entry->bucket_version = first.version.load(std::memory_order_acquire);
  if ((entry->bucket_version & 1) != 0) return Outcome::kBusy;
  const Outcome outcome = Walk(key, entry->bucket, entry);
  std::atomic_thread_fence(std::memory_order_acquire);
  // The copy may be half old and half new, or the bucket was split before it
  // was looked at.
  const bool same =
      first.version.load(std::memory_order_relaxed) == entry->bucket_version &&
      (outcome != Outcome::kAbsent || BucketCount() == count);
  return same ? outcome : Outcome::kBusy;
}

void IndexReader::Prefetch(std::span<const std::string_view> ids) const {
  const uint32_t count = BucketCount();
  if (count == 0) return;
  for (const std::string_view id : ids) {
    PrefetchAll(buckets_[IndexBucketOf(MakeIndexKey(id, seed_), count)]);
  }
}

IndexReader::Outcome IndexReader::Walk(const IndexKey& key, uint32_t first,
                                       Entry* entry) const {
  const uint8_t fingerprint = FingerprintOf(key);
  uint32_t number = first;
  uint32_t steps = 0;
  do {
    if (number >= all_buckets_ || steps++ >= all_buckets_) {
      return Outcome::kCorrupt;
    }
    const IndexBucket& bucket = buckets_[number];
    for (size_t i = 0; i < kEntriesPerBucket; ++i) {
      if (bucket.fingerprints[i].load(std::memory_order_acquire) ==
              fingerprint &&
          Read(bucket, i, key, entry)) {
        return OutcomeOf(SlotStateOf(entry->word));
      }
    }
    if (number == first &&
        !MayBeBeyond(bucket.filter.load(std::memory_order_acquire), key)) {
      return Outcome::kAbsent;
    }
    number = bucket.next.load(std::memory_order_acquire);
  } while (number != 0);
  return Outcome::kAbsent;
}

// False: it is another object's, or none's.
bool IndexReader::Read(const IndexBucket& bucket, size_t number,
                       const IndexKey& key, Entry* entry) {
  const IndexEntry& found = bucket.entries[number];
  entry->word_now = &bucket.words[number];
  entry->word = entry->word_now->load(std::memory_order_acquire);
  if (SlotStateOf(entry->word) == SlotState::kFree ||
      found.key_low.load(std::memory_order_acquire) != key.low ||
      found.key_high.load(std::memory_order_acquire) != key.high) {
    return false;
  }
  const uint32_t slot_and_flags =
      bucket.slots_and_flags[number].load(std::memory_order_acquire);
  entry->slot = SlotOf(slot_and_flags);
  entry->flags = FlagsOf(slot_and_flags);
  entry->number = found.number.load(std::memory_order_acquire);
  entry->segment = found.segment.load(std::memory_order_acquire);
  entry->offset = found.offset.load(std::memory_order_acquire);
  entry->size_bytes = found.size_bytes.load(std::memory_order_acquire);
  return true;
}

uint32_t IndexReader::GroupOf(std::string_view id) const {
  return KeyGroupOf(MakeIndexKey(id, seed_));
}

bool IndexReader::StillTrue(const Entry& entry) const {
  return entry.word_now->load(std::memory_order_seq_cst) == entry.word &&
         buckets_[entry.bucket].version.load(std::memory_order_acquire) ==
             entry.bucket_version;
}

}  // namespace vitrine
