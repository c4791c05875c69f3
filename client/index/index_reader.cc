#include "client/index/index_reader.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
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
  return offset >= sizeof(IndexHeader) && offset <= file_bytes &&
         count <= (file_bytes - offset) / size_bytes;
}

Status CheckHeader(const IndexHeader& header, uint64_t file_bytes) {
  if (header.magic != kIndexMagic) return CorruptIndex("it is none");
  if (header.version != kIndexVersion) {
    return Error{Code::kVersionMismatch, "the index of the store has version " +
                                             std::to_string(header.version) +
                                             ", not " +
                                             std::to_string(kIndexVersion)};
  }
  const uint32_t buckets = header.bucket_count;
  if (buckets == 0 || (buckets & (buckets - 1)) != 0) {
    return CorruptIndex("the number of buckets is no power of two");
  }
  if (header.slot_count == 0 || header.slot_count == kNoSlot ||
      header.buckets_offset % alignof(IndexBucket) != 0 ||
      header.slots_offset % alignof(IndexSlot) != 0 ||
      !Fits(header.buckets_offset, buckets, sizeof(IndexBucket), file_bytes) ||
      !Fits(header.slots_offset, header.slot_count, sizeof(IndexSlot),
            file_bytes)) {
    return CorruptIndex("its tables are not within the file");
  }
  return {};
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
  if (!S_ISREG(info.st_mode) || file_bytes < sizeof(IndexHeader)) {
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
      bucket_count_(header.bucket_count),
      slot_count_(header.slot_count),
      buckets_(reinterpret_cast<const IndexBucket*>(mapping_.data() +
                                                    header.buckets_offset)),
      slots_(reinterpret_cast<const IndexSlot*>(mapping_.data() +
                                                header.slots_offset)) {}

IndexReader::Outcome IndexReader::Find(std::string_view id,
                                       Entry* entry) const {
  const IndexKey key = MakeIndexKey(id, seed_);
  entry->bucket = IndexBucketOf(key, bucket_count_);
  const IndexBucket& bucket = buckets_[entry->bucket];
  entry->bucket_version = bucket.version.load(std::memory_order_acquire);
  if ((entry->bucket_version & 1) != 0) return Outcome::kBusy;
  const Outcome outcome =
      Walk(key, bucket.head.load(std::memory_order_acquire), entry);
  std::atomic_thread_fence(std::memory_order_acquire);
  if (bucket.version.load(std::memory_order_relaxed) != entry->bucket_version) {
    return Outcome::kBusy;  // The copy may be half old and half new.
  }
  return outcome;
}

void IndexReader::Prefetch(std::span<const std::string_view> ids) const {
  std::array<const IndexBucket*, kMostPrefetched> buckets;
  const size_t count = std::min(ids.size(), kMostPrefetched);
  for (size_t i = 0; i < count; ++i) {
    const IndexKey key = MakeIndexKey(ids[i], seed_);
    buckets[i] = &buckets_[IndexBucketOf(key, bucket_count_)];
    __builtin_prefetch(buckets[i]);
  }
  for (size_t i = 0; i < count; ++i) {
    const uint32_t head = buckets[i]->head.load(std::memory_order_relaxed);
    if (head < slot_count_) __builtin_prefetch(&slots_[head]);
  }
}

IndexReader::Outcome IndexReader::Walk(const IndexKey& key, uint32_t head,
                                       Entry* entry) const {
  uint32_t number = head;
  for (uint32_t steps = 0; number != kNoSlot; ++steps) {
    if (number >= slot_count_ || steps >= slot_count_) return Outcome::kCorrupt;
    const IndexSlot& slot = slots_[number];
    if (slot.key_low.load(std::memory_order_acquire) == key.low &&
        slot.key_high.load(std::memory_order_acquire) == key.high) {
      entry->slot = number;
      entry->word = slot.word.load(std::memory_order_acquire);
      entry->number = slot.number.load(std::memory_order_acquire);
      entry->segment = slot.segment.load(std::memory_order_acquire);
      entry->offset = slot.offset.load(std::memory_order_acquire);
      entry->size_bytes = slot.size_bytes.load(std::memory_order_acquire);
      entry->flags = slot.flags.load(std::memory_order_acquire);
      return OutcomeOf(SlotStateOf(entry->word));
    }
    number = slot.next.load(std::memory_order_acquire);
  }
  return Outcome::kAbsent;
}

uint32_t IndexReader::BucketOf(std::string_view id) const {
  return IndexBucketOf(MakeIndexKey(id, seed_), bucket_count_);
}

bool IndexReader::StillTrue(const Entry& entry) const {
  return slots_[entry.slot].word.load(std::memory_order_seq_cst) ==
             entry.word &&
         buckets_[entry.bucket].version.load(std::memory_order_acquire) ==
             entry.bucket_version;
}

}  // namespace vitrine
