// A tiny index for tests, as a store would write it.
#ifndef VITRINE_TESTS_CLIENT_INDEX_INDEX_FILE_H_
#define VITRINE_TESTS_CLIENT_INDEX_INDEX_FILE_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "schema/base/mapping.h"
#include "schema/base/unique_fd.h"
#include "schema/index_layout.h"

namespace vitrine {

class IndexFile {
 public:
  static constexpr uint32_t kBuckets = 4;
  static constexpr uint32_t kSlots = 64;
  static constexpr uint64_t kBucketsOffset = 64;
  static constexpr uint64_t kSlotsOffset = 128;
  static constexpr uint64_t kFileBytes =
      kSlotsOffset + kSlots * sizeof(IndexSlot);

  IndexFile() : fd_(::memfd_create("index", MFD_CLOEXEC)) {
    EXPECT_EQ(::ftruncate(fd_.get(), kFileBytes), 0);
    auto mapping = Mapping::Map(fd_.get(), kFileBytes, PROT_READ | PROT_WRITE);
    EXPECT_TRUE(mapping);
    mapping_ = std::move(*mapping);
    header() =
        IndexHeader{kIndexMagic, kIndexVersion,  kBuckets,       kSlots,
                    0,           0x1234'5678'9a, kBucketsOffset, kSlotsOffset};
    for (uint32_t i = 0; i < kBuckets; ++i) bucket(i).head = kNoSlot;
  }

  int fd() const { return fd_.get(); }
  IndexHeader& header() {
    return *reinterpret_cast<IndexHeader*>(mapping_.data());
  }
  IndexBucket& bucket(uint32_t number) {
    return reinterpret_cast<IndexBucket*>(mapping_.data() +
                                          kBucketsOffset)[number];
  }
  IndexBucket& bucket_of(const std::string& id) {
    return bucket(IndexBucketOf(MakeIndexKey(id, header().seed), kBuckets));
  }
  IndexSlot& slot(uint32_t number) {
    return reinterpret_cast<IndexSlot*>(mapping_.data() + kSlotsOffset)[number];
  }

  // Puts `id` into `number`, which is in no chain.
  void Publish(uint32_t number, const std::string& id, uint64_t segment,
               uint64_t size_bytes, uint32_t flags = kSlotReadableByAll) {
    const IndexKey key = MakeIndexKey(id, header().seed);
    IndexSlot& target = slot(number);
    target.key_high = key.high;
    target.key_low = key.low;
    target.segment = segment;
    target.offset = 0;
    target.size_bytes = size_bytes;
    target.flags = flags;
    target.word =
        MakeSlotWord(SlotGeneration(target.word) + 1, SlotState::kSealed);
    IndexBucket& chain = bucket_of(id);
    ++chain.version;
    target.next = chain.head.load();
    chain.head = number;
    ++chain.version;
  }

  // `id` is the first in its chain.
  void RemoveFirst(const std::string& id) {
    IndexBucket& chain = bucket_of(id);
    IndexSlot& gone = slot(chain.head);
    ++chain.version;
    chain.head = gone.next.load();
    gone.word = MakeSlotWord(SlotGeneration(gone.word), SlotState::kFree);
    ++chain.version;
  }

 private:
  UniqueFd fd_;
  Mapping mapping_;
};

}  // namespace vitrine

#endif  // VITRINE_TESTS_CLIENT_INDEX_INDEX_FILE_H_
