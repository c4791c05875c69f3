// A tiny index for tests, as a store would write it.
#ifndef VITRINE_TESTS_CLIENT_INDEX_INDEX_FILE_H_
#define VITRINE_TESTS_CLIENT_INDEX_INDEX_FILE_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <map>
#include <string>
#include <utility>

#include "schema/base/mapping.h"
#include "schema/base/unique_fd.h"
#include "schema/index_layout.h"

namespace vitrine {

class IndexFile {
 public:
  static constexpr uint32_t kBuckets = 4;
  static constexpr uint32_t kOverflow = 16;
  static constexpr uint32_t kSlots = 64;
  static constexpr uint64_t kBucketsOffset = 256;
  static constexpr uint64_t kFileBytes =
      kBucketsOffset + (kBuckets + kOverflow) * sizeof(IndexBucket);

  IndexFile() : fd_(::memfd_create("index", MFD_CLOEXEC)) {
    EXPECT_EQ(::ftruncate(fd_.get(), kFileBytes), 0);
    auto mapping = Mapping::Map(fd_.get(), kFileBytes, PROT_READ | PROT_WRITE);
    EXPECT_TRUE(mapping);
    mapping_ = std::move(*mapping);
    header() =
        IndexHeader{kIndexMagic,    kIndexVersion, kSlots,   0x1234'5678'9a,
                    kBucketsOffset, kBuckets,      kOverflow};
    size().bucket_count = kBuckets;
  }

  int fd() const { return fd_.get(); }
  IndexHeader& header() {
    return *reinterpret_cast<IndexHeader*>(mapping_.data());
  }
  IndexSize& size() {
    return *reinterpret_cast<IndexSize*>(mapping_.data() + kIndexSizeOffset);
  }
  IndexBucket& bucket(uint32_t number) {
    return reinterpret_cast<IndexBucket*>(mapping_.data() +
                                          kBucketsOffset)[number];
  }
  // The first of its chain.
  IndexBucket& bucket_of(const std::string& id) {
    return bucket(
        IndexBucketOf(MakeIndexKey(id, header().seed), size().bucket_count));
  }
  // Of what is published in `slot`.
  std::atomic<uint64_t>& word(uint32_t slot) {
    const auto [bucket_number, i] = places_.at(slot);
    return bucket(bucket_number).words[i];
  }
  IndexEntry& entry(uint32_t slot) {
    const auto [bucket_number, i] = places_.at(slot);
    return bucket(bucket_number).entries[i];
  }

  void Publish(uint32_t slot, const std::string& id, uint64_t segment,
               uint64_t size_bytes, uint8_t flags = kSlotReadableByAll) {
    const IndexKey key = MakeIndexKey(id, header().seed);
    IndexBucket& first = bucket_of(id);
    ++first.version;
    const auto place = FreePlace(first);
    IndexBucket& target = bucket(place.first);
    const size_t i = place.second;
    target.fingerprints[i] = FingerprintOf(key);
    target.slots_and_flags[i] = MakeSlotAndFlags(slot, flags);
    if (&target != &first) first.filter |= FilterBitsOf(key);
    target.entries[i].key_high = key.high;
    target.entries[i].key_low = key.low;
    target.entries[i].segment = segment;
    target.entries[i].offset = 0;
    target.entries[i].size_bytes = size_bytes;
    target.words[i] = MakeSlotWord(++generation_, SlotState::kSealed);
    ++first.version;
    places_[slot] = place;
  }

  void Remove(uint32_t slot, const std::string& id) {
    ++bucket_of(id).version;
    word(slot) = 0;
    ++bucket_of(id).version;
  }

 private:
  using Place = std::pair<uint32_t, size_t>;

  Place FreePlace(IndexBucket& first) {
    IndexBucket* last = &first;
    while (true) {
      for (size_t i = 0; i < kEntriesPerBucket; ++i) {
        if (last->words[i] == 0) return Place{NumberOf(*last), i};
      }
      if (last->next == 0) last->next = kBuckets + used_overflow_++;
      last = &bucket(last->next);
    }
  }
  uint32_t NumberOf(const IndexBucket& of) {
    return static_cast<uint32_t>(&of - &bucket(0));
  }

  uint64_t generation_ = 0;
  uint32_t used_overflow_ = 0;
  std::map<uint32_t, Place> places_;
  UniqueFd fd_;
  Mapping mapping_;
};

}  // namespace vitrine

#endif  // VITRINE_TESTS_CLIENT_INDEX_INDEX_FILE_H_
