#include "store/index/index_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <vitrine/object_id.h>

#include <array>
#include <atomic>
#include <cstring>
#include <optional>
#include <set>
#include <thread>
#include <unordered_set>

#include "schema/client_page.h"
#include "tests/support/scratch_dir.h"

namespace vitrine::store {
namespace {

ObjectId IdOf(uint64_t number) {
  return *ObjectId::FromText("object-" + std::to_string(number));
}

// A client as index_layout.h tells it, with one pin.
class Reader {
 public:
  explicit Reader(const IndexWriter& writer) {
    Result<UniqueFd> fd = writer.OpenReadOnly();
    EXPECT_TRUE(fd);
    struct stat info {};
    EXPECT_EQ(::fstat(fd->get(), &info), 0);
    Result<Mapping> mapping =
        Mapping::Map(fd->get(), static_cast<size_t>(info.st_size), PROT_READ);
    EXPECT_TRUE(mapping);
    mapping_ = std::move(*mapping);
  }

  const IndexHeader& header() const { return *At<IndexHeader>(0); }
  uint32_t bucket_count() const {
    return At<IndexSize>(kIndexSizeOffset)
        ->bucket_count.load(std::memory_order_acquire);
  }
  const IndexBucket& BucketAt(uint32_t number) const {
    return At<IndexBucket>(header().buckets_offset)[number];
  }

  enum class Outcome { kAbsent, kPinned, kAgain };
  struct Found {
    uint32_t slot;
    uint64_t segment;
    uint64_t offset;
    uint64_t size_bytes;
    uint8_t flags;
    int steps;  // Buckets that it took.
  };
  Outcome TryPin(const ObjectId& id, std::atomic<uint64_t>* pin,
                 Found* found) const {
    const IndexKey key = MakeIndexKey(id.text(), header().seed);
    const uint32_t count = bucket_count();
    const IndexBucket& first = BucketAt(IndexBucketOf(key, count));
    const uint32_t version = first.version.load(std::memory_order_acquire);
    if (version % 2 != 0) return Outcome::kAgain;
    const auto [bucket, i] = Walk(first, key, found);
    if (bucket == nullptr) {
      const bool same =
          first.version.load() == version && bucket_count() == count;
      return same ? Outcome::kAbsent : Outcome::kAgain;
    }
    const uint64_t word = bucket->words[i].load(std::memory_order_acquire);
    const IndexEntry& entry = bucket->entries[i];
    const uint32_t slot_and_flags =
        bucket->slots_and_flags[i].load(std::memory_order_acquire);
    found->slot = SlotOf(slot_and_flags);
    found->segment = entry.segment.load(std::memory_order_acquire);
    found->offset = entry.offset.load(std::memory_order_acquire);
    found->size_bytes = entry.size_bytes.load(std::memory_order_acquire);
    found->flags = FlagsOf(slot_and_flags);
    if (SlotStateOf(word) != SlotState::kSealed) return Outcome::kAgain;
    pin->store(MakePin(found->slot, SlotGeneration(word)));
    if (bucket->words[i].load() == word && first.version.load() == version) {
      return Outcome::kPinned;
    }
    pin->store(0, std::memory_order_release);
    return Outcome::kAgain;
  }

  // Without others at work.
  std::optional<Found> Find(const ObjectId& id) const {
    std::atomic<uint64_t> pin = 0;
    Found found{};
    if (TryPin(id, &pin, &found) != Outcome::kPinned) return std::nullopt;
    return found;
  }

 private:
  template <typename T>
  const T* At(uint64_t offset) const {
    return reinterpret_cast<const T*>(mapping_.data() + offset);
  }

  std::pair<const IndexBucket*, size_t> Walk(const IndexBucket& first,
                                             const IndexKey& key,
                                             Found* found) const {
    const IndexBucket* bucket = &first;
    for (found->steps = 1;; ++found->steps) {
      for (size_t i = 0; i < kEntriesPerBucket; ++i) {
        const IndexEntry& entry = bucket->entries[i];
        if (bucket->words[i].load(std::memory_order_acquire) != 0 &&
            entry.key_low.load(std::memory_order_acquire) == key.low &&
            entry.key_high.load(std::memory_order_acquire) == key.high) {
          return {bucket, i};
        }
      }
      const bool beyond =
          bucket != &first ||
          MayBeBeyond(first.filter.load(std::memory_order_acquire), key);
      const uint32_t next =
          beyond ? bucket->next.load(std::memory_order_acquire) : 0;
      if (next == 0) return {nullptr, 0};
      bucket = &BucketAt(next);
    }
  }

  Mapping mapping_;
};

class IndexWriterTest : public testing::Test {
 protected:
  void SetUp() override {
    descriptors_ = CountDescriptors();
    Result<IndexWriter> writer = IndexWriter::Create(path());
    ASSERT_TRUE(writer) << writer.error().ToString();
    writer_.emplace(std::move(*writer));
  }
  void TearDown() override {
    writer_.reset();
    EXPECT_EQ(CountDescriptors(), descriptors_) << "a descriptor leaked";
  }

  std::string path() const { return scratch_.path() + "/index"; }
  uint32_t Publish(uint64_t number) {
    Result<uint32_t> slot =
        writer_->Publish(IdOf(number).text(), {.segment = number,
                                               .offset = 0,
                                               .size_bytes = number * 10,
                                               .flags = kSlotReadableByAll});
    EXPECT_TRUE(slot) << slot.error().ToString();
    return slot ? *slot : kNoSlot;
  }

  ScratchDir scratch_;
  std::optional<IndexWriter> writer_;
  size_t descriptors_ = 0;
};

TEST_F(IndexWriterTest, AnOldFileIsReplaced) {
  Publish(1);
  const Reader old_reader(*writer_);
  Result<IndexWriter> again = IndexWriter::Create(path());
  ASSERT_TRUE(again);
  EXPECT_FALSE(Reader(*again).Find(IdOf(1)));
  EXPECT_TRUE(old_reader.Find(IdOf(1)));
  EXPECT_NE(Reader(*again).header().seed, old_reader.header().seed);
}

TEST_F(IndexWriterTest, AnUnusableDirectoryIsAnError) {
  Result<IndexWriter> writer =
      IndexWriter::Create(scratch_.path() + "/none/index");
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().code, Code::kNotFound);
}

TEST_F(IndexWriterTest, AnIdIsPublishedOnce) {
  Publish(1);
  Result<uint32_t> again = writer_->Publish(IdOf(1).text(), {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kAlreadyExists);
  EXPECT_EQ(Reader(*writer_).Find(IdOf(1))->segment, 1u);
}

TEST_F(IndexWriterTest, RemovedTwiceIsRemovedOnce) {
  const uint32_t slot = Publish(1);
  writer_->Remove(slot);
  writer_->Remove(slot);
  EXPECT_FALSE(writer_->IsPublished(slot));
  EXPECT_NE(Publish(2), Publish(3));
}

TEST_F(IndexWriterTest, UnknownSlotsAreIgnored) {
  for (const uint32_t slot : {0u, 5u, kNoSlot}) {
    writer_->MarkEvicting(slot);
    writer_->Unmark(slot);
    writer_->Remove(slot);
    EXPECT_EQ(writer_->PinOf(slot), 0u);
    EXPECT_FALSE(writer_->IsPublished(slot));
  }
}

TEST_F(IndexWriterTest, OnlyTheStoresUserOpensTheFileByName) {
  const mode_t old_umask = ::umask(0777);
  Result<IndexWriter> writer = IndexWriter::Create(path());
  ::umask(old_umask);
  ASSERT_TRUE(writer);
  struct stat info {};
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  EXPECT_EQ(::fcntl(writer->OpenReadOnly()->get(), F_GETFL) & O_ACCMODE,
            O_RDONLY);
}

TEST_F(IndexWriterTest, TheHeaderSaysWhereThingsAre) {
  const Reader reader(*writer_);
  const IndexHeader& header = reader.header();
  EXPECT_EQ(header.magic, kIndexMagic);
  EXPECT_EQ(header.version, kIndexVersion);
  EXPECT_EQ(header.slot_limit, (1u << 24) - 1);
  EXPECT_EQ(header.buckets_offset % sizeof(IndexBucket), 0u);
  EXPECT_GT(reader.bucket_count(), 0u);
  EXPECT_LE(reader.bucket_count(), header.bucket_limit);
}

TEST_F(IndexWriterTest, MarkedObjectsAreNotFoundUntilUnmarked) {
  const uint32_t slot = Publish(1);
  const Reader reader(*writer_);
  writer_->MarkEvicting(slot);
  writer_->MarkEvicting(slot);
  EXPECT_TRUE(writer_->IsPublished(slot));
  EXPECT_FALSE(reader.Find(IdOf(1)));
  writer_->Unmark(slot);
  ASSERT_TRUE(reader.Find(IdOf(1)));
  EXPECT_EQ(reader.Find(IdOf(1))->size_bytes, 10u);
}

// Invariant (2) of the index.
TEST_F(IndexWriterTest, OnlyWhatIsMarkedMovesAndItsPinsAreOthers) {
  const uint32_t slot = Publish(1);
  const Reader reader(*writer_);
  writer_->Move(slot, 7, 64);
  EXPECT_EQ(reader.Find(IdOf(1))->segment, 1u);
  writer_->MarkEvicting(slot);
  const uint64_t pin = writer_->PinOf(slot);
  writer_->Move(slot, 7, 64);
  EXPECT_EQ(reader.Find(IdOf(1))->segment, 7u);
  EXPECT_EQ(reader.Find(IdOf(1))->offset, 64u);
  EXPECT_NE(writer_->PinOf(slot), pin);
  writer_->Move(kNoSlot - 1, 8, 0);  // Unknown slots are ignored.
}

// Invariant (1) of the index.
TEST_F(IndexWriterTest, OnlyWhatIsMarkedGoesElsewhereAndStaysSealed) {
  const uint32_t slot = Publish(1);
  writer_->SendElsewhere(slot);
  EXPECT_FALSE(writer_->IsElsewhere(slot));
  writer_->MarkEvicting(slot);
  writer_->SendElsewhere(slot);
  EXPECT_TRUE(writer_->IsElsewhere(slot));
  EXPECT_TRUE(writer_->IsPublished(slot));
  EXPECT_EQ(writer_->Find(IdOf(1).text()), slot);
  EXPECT_FALSE(Reader(*writer_).Find(IdOf(1)));
  // Neither mark nor its end brings the bytes back.
  writer_->MarkEvicting(slot);
  writer_->Unmark(slot);
  writer_->Move(slot, 9, 0);
  EXPECT_TRUE(writer_->IsElsewhere(slot));
  writer_->Remove(slot);
  EXPECT_FALSE(writer_->IsPublished(slot));
}

TEST_F(IndexWriterTest, WhatReturnsIsFoundAtItsNewPlaceAndItsWaitersWake) {
  const uint32_t slot = Publish(1);
  writer_->Return(slot, 7, 64);  // It is here: nothing happens.
  const Reader reader(*writer_);
  EXPECT_EQ(reader.Find(IdOf(1))->segment, 1u);
  const uint64_t pin = writer_->PinOf(slot);
  writer_->MarkEvicting(slot);
  writer_->SendElsewhere(slot);
  const auto* futex = writer_->AwaitedFutex(slot, ~uint64_t{0});
  const uint32_t version = futex->load();
  writer_->Return(slot, 7, 64);
  EXPECT_EQ(reader.Find(IdOf(1))->segment, 7u);
  EXPECT_EQ(reader.Find(IdOf(1))->offset, 64u);
  EXPECT_NE(writer_->PinOf(slot), pin);
  EXPECT_EQ(futex->load(), version + 2);
  writer_->Return(kNoSlot - 1, 8, 0);  // Unknown slots are ignored.
}

// Invariant (3) of the index.
TEST_F(IndexWriterTest, GenerationsOnlyGrow) {
  const uint32_t slot = Publish(1);
  uint64_t last_pin = 0;
  for (int round = 0; round < 10; ++round) {
    const uint64_t pin = writer_->PinOf(slot);
    EXPECT_GT(pin, last_pin);
    last_pin = pin;
    writer_->MarkEvicting(slot);
    writer_->Remove(slot);
    ASSERT_EQ(Publish(2), slot) << "a free slot is used again";
    EXPECT_EQ(Reader(*writer_).Find(IdOf(2))->flags, kSlotReadableByAll);
    writer_->Remove(slot);
    ASSERT_EQ(Publish(1), slot);
  }
}

TEST_F(IndexWriterTest, AnyOfManyIsFoundAndRemoved) {
  constexpr uint64_t kCount = 70'000;  // More than one chunk of buckets.
  std::vector<uint32_t> slots;
  for (uint64_t number = 0; number < kCount; ++number) {
    slots.push_back(Publish(number));
  }
  EXPECT_EQ(std::set<uint32_t>(slots.begin(), slots.end()).size(), kCount);
  for (uint64_t number = 0; number < kCount; number += 3) {
    writer_->Remove(slots[number]);
  }
  const Reader reader(*writer_);
  for (uint64_t number = 0; number < kCount; ++number) {
    const auto found = reader.Find(IdOf(number));
    ASSERT_EQ(found.has_value(), number % 3 != 0) << number;
    if (found) {
      EXPECT_EQ(found->segment, number);
      EXPECT_EQ(found->slot, slots[number]);
      EXPECT_EQ(writer_->Find(IdOf(number).text()), slots[number]);
    }
  }
  EXPECT_LT(writer_->allocated_bytes(), 14u * 1024 * 1024);
}

// One bucket is one wait for memory.
TEST_F(IndexWriterTest, NineOfTenAreInTheirOwnBucketAtEverySize) {
  const Reader reader(*writer_);
  uint64_t next = 0;
  for (const uint64_t count : {30'000u, 45'000u, 60'000u, 90'000u}) {
    while (next < count) Publish(next++);
    uint64_t buckets = 0;
    for (uint64_t number = 0; number < count; ++number) {
      buckets += static_cast<uint64_t>(reader.Find(IdOf(number))->steps);
    }
    EXPECT_LT(buckets, count * 115 / 100) << count;
  }
}

// A pin names no place: it holds while its object moves from bucket to bucket.
TEST_F(IndexWriterTest, PinsStayTrueWhileTheTableGrowsAndShrinks) {
  const uint32_t slot = Publish(0);
  const uint64_t pin = writer_->PinOf(slot);
  std::vector<uint32_t> slots;
  for (uint64_t number = 1; number < 60'000; ++number) {
    slots.push_back(Publish(number));
  }
  EXPECT_EQ(writer_->PinOf(slot), pin);
  for (const uint32_t other : slots) writer_->Remove(other);
  EXPECT_EQ(writer_->PinOf(slot), pin);
  EXPECT_EQ(Reader(*writer_).Find(IdOf(0))->slot, slot);
}

TEST_F(IndexWriterTest, WhoWaitsOnABucketThatWasSplitIsToBeWoken) {
  const Reader reader(*writer_);
  const uint32_t count = reader.bucket_count();
  uint64_t number = 0;
  while (reader.bucket_count() == count) Publish(number++);
  const auto moved = writer_->TakeMovedFutexes();
  ASSERT_EQ(moved.size(), 1u);
  EXPECT_GE(moved[0]->load(), 2u);
  EXPECT_TRUE(writer_->TakeMovedFutexes().empty());
}

// A publisher and evictor against readers.  `bytes` stands for what a pinned
// object must keep.  They are atomic since readers have the index mapped at
// another address, where ThreadSanitizer does not see what orders them.
TEST_F(IndexWriterTest, WhatIsPinnedIsNeverEvicted) {
  constexpr uint64_t kIds = 8;
  constexpr uint64_t kSegments = 64;
  constexpr size_t kReaders = 3;
  std::array<std::atomic<uint64_t>, kSegments> bytes{};  // 0: given back.
  std::array<std::atomic<uint64_t>, kReaders> pins{};
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> gets = 0;
  std::vector<std::thread> readers;
  for (std::atomic<uint64_t>& pin : pins) {
    readers.emplace_back([&] {
      const Reader reader(*writer_);
      for (uint64_t round = 0; !stop; ++round) {
        const uint64_t id = round % kIds;
        Reader::Found found{};
        if (reader.TryPin(IdOf(id), &pin, &found) != Reader::Outcome::kPinned) {
          continue;
        }
        EXPECT_EQ(found.segment % kIds, id);
        for (int look = 0; look < 3; ++look) {
          EXPECT_EQ(bytes[found.segment].load(std::memory_order_relaxed),
                    found.size_bytes);
        }
        gets.fetch_add(1, std::memory_order_relaxed);
        pin.store(0, std::memory_order_release);
      }
    });
  }
  struct Live {
    uint32_t slot;
    uint64_t segment;
  };
  std::vector<Live> live;
  std::set<uint64_t> taken;
  uint64_t evicted = 0;
  for (uint64_t step = 1; evicted < 3000; ++step) {
    const uint64_t segment = step % kSegments;
    if (live.size() < kIds / 2 + step % 4 && taken.count(segment) == 0) {
      bytes[segment].store(step, std::memory_order_relaxed);
      Result<uint32_t> slot =
          writer_->Publish(IdOf(segment % kIds).text(), {segment, 0, step, 0});
      if (slot) {
        live.push_back({*slot, segment});
        taken.insert(segment);
      }
    }
    const Live victim = live[step % live.size()];
    writer_->MarkEvicting(victim.slot);
    bool pinned = false;
    for (const auto& pin : pins) {
      pinned |= pin.load() == writer_->PinOf(victim.slot);
    }
    if (pinned) {
      writer_->Unmark(victim.slot);
      continue;
    }
    writer_->Remove(victim.slot);
    bytes[victim.segment].store(0, std::memory_order_relaxed);
    taken.erase(victim.segment);
    live.erase(live.begin() + static_cast<ptrdiff_t>(step % live.size()));
    ++evicted;
  }
  while (gets < 100 && !live.empty()) std::this_thread::yield();
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

// Others come and go, and split and empty its bucket.
TEST_F(IndexWriterTest, WhatStaysIsFoundAtEveryMoment) {
  constexpr uint64_t kStays = 64;
  for (uint64_t number = 0; number < kStays; ++number) Publish(number);
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> gets = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      const Reader reader(*writer_);
      std::atomic<uint64_t> pin = 0;
      for (uint64_t round = 0; !stop; ++round) {
        const uint64_t number = round % kStays;
        Reader::Found found{};
        const auto outcome = reader.TryPin(IdOf(number), &pin, &found);
        EXPECT_NE(outcome, Reader::Outcome::kAbsent);
        if (outcome != Reader::Outcome::kPinned) continue;
        EXPECT_EQ(found.segment, number);
        ++gets;
      }
    });
  }
  for (uint64_t high = 25'000; high < 60'000; high += 5'000) {
    std::vector<uint32_t> slots;
    for (uint64_t number = kStays; number < high; ++number) {
      slots.push_back(Publish(number));
    }
    for (const uint32_t slot : slots) writer_->Remove(slot);
  }
  while (gets < 100) std::this_thread::yield();
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

// On a small tmpfs of this process's own.
TEST(IndexWriterOnFullTmpfsTest, NoMemoryIsAnErrorAndNotASignal) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting needs root";
  const ScratchMount mount("tmpfs", "size=9M");
  if (!mount.mounted() && std::getenv("CI") == nullptr) {
    GTEST_SKIP() << std::strerror(mount.error());
  }
  ASSERT_TRUE(mount.mounted()) << std::strerror(mount.error());
  const std::string path = mount.path() + "/index";
  Result<IndexWriter> writer = IndexWriter::Create(path);
  ASSERT_TRUE(writer) << writer.error().ToString();
  uint64_t count = 0;
  std::optional<Error> error;
  uint32_t last_slot = kNoSlot;
  while (!error) {
    Result<uint32_t> slot = writer->Publish(IdOf(count).text(), {});
    if (slot) {
      last_slot = *slot;
      ++count;
    } else {
      error = slot.error();
    }
  }
  EXPECT_EQ(error->code, Code::kOutOfMemory);
  EXPECT_GT(count, 50'000u);
  writer->Remove(last_slot);
  EXPECT_TRUE(writer->Publish(IdOf(count - 1).text(), {}));
  for (uint64_t number = 0; number < count; ++number) {
    ASSERT_NE(writer->Find(IdOf(number).text()), kNoSlot) << number;
  }
  const ScratchMount small("tmpfs", "size=1M");
  Result<IndexWriter> none = IndexWriter::Create(small.path() + "/index");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kOutOfMemory);
  EXPECT_TRUE(std::filesystem::is_empty(small.path()));
}

}  // namespace
}  // namespace vitrine::store
