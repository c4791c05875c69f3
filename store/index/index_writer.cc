#include "store/index/index_writer.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <cerrno>
#include <new>

#include "schema/client_page.h"

namespace vitrine::store {
namespace {

constexpr uint64_t kChunkBytes = 2 * 1024 * 1024;
constexpr uint32_t kBucketCount = uint32_t{1} << 20;
constexpr uint32_t kSlotCount = (uint32_t{1} << 24) - 1;
constexpr uint32_t kSlotsPerChunk = kChunkBytes / sizeof(IndexSlot);
constexpr uint64_t kBucketsOffset = 4096;
constexpr uint64_t kBucketsEnd =
    kBucketsOffset + uint64_t{kBucketCount} * sizeof(IndexBucket);
constexpr uint64_t kSlotsOffset =
    (kBucketsEnd + kChunkBytes - 1) / kChunkBytes * kChunkBytes;
// Whole chunks, although the last slot is not used.
constexpr uint64_t kFileBytes =
    kSlotsOffset + (uint64_t{kSlotCount} + 1) * sizeof(IndexSlot);

Result<UniqueFd> MakeFile(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return ErrnoError("unlink " + path, errno);
  }
  UniqueFd fd(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd.valid()) return ErrnoError("create " + path, errno);
  if (::fchmod(fd.get(), 0644) != 0 ||  // The umask may have taken bits away.
      ::ftruncate(fd.get(), static_cast<off_t>(kFileBytes)) != 0) {
    const int reason = errno;
    ::unlink(path.c_str());
    return ErrnoError("set up " + path, reason);
  }
  return fd;
}

// A write through a mapping raises SIGBUS if there is no memory, so all of it
// is allocated before.
Status Allocate(int fd, uint64_t offset, uint64_t size_bytes) {
  while (::fallocate(fd, 0, static_cast<off_t>(offset),
                     static_cast<off_t>(size_bytes)) != 0) {
    if (errno != EINTR) return ErrnoError("take memory for the index", errno);
  }
  return Status();
}

Result<uint64_t> RandomSeed() {
  uint64_t seed;
  ssize_t got;
  do {
    got = ::getrandom(&seed, sizeof(seed), 0);
  } while (got < 0 && errno == EINTR);
  if (got == sizeof(seed)) return seed;
  return ErrnoError("getrandom", errno);
}

IndexKey KeyOf(const IndexSlot& slot) {
  return {slot.key_high.load(std::memory_order_relaxed),
          slot.key_low.load(std::memory_order_relaxed)};
}

}  // namespace

Result<IndexWriter> IndexWriter::Create(const std::string& path) {
  Result<UniqueFd> fd = MakeFile(path);
  if (!fd) return fd.error();
  Result<Mapping> mapping = SetUp(fd->get());
  if (!mapping) {
    ::unlink(path.c_str());
    return mapping.error();
  }
  return IndexWriter(path, std::move(*fd), std::move(*mapping));
}

Result<Mapping> IndexWriter::SetUp(int fd) {
  Status status = Allocate(fd, 0, kBucketsEnd);
  if (!status) return status.error();
  Result<uint64_t> seed = RandomSeed();
  if (!seed) return seed.error();
  Result<Mapping> mapping =
      Mapping::Map(fd, kFileBytes, PROT_READ | PROT_WRITE);
  if (!mapping) return mapping.error();
  new (mapping->data())
      IndexHeader{kIndexMagic, kIndexVersion, kBucketCount,   kSlotCount,
                  0,           *seed,         kBucketsOffset, kSlotsOffset};
  auto* bucket =
      reinterpret_cast<IndexBucket*>(mapping->data() + kBucketsOffset);
  for (uint32_t number = 0; number < kBucketCount; ++number, ++bucket) {
    new (bucket) IndexBucket{.version = 0, .head = kNoSlot};
  }
  return mapping;
}

IndexWriter::IndexWriter(std::string path, UniqueFd fd, Mapping mapping)
    : path_(std::move(path)),
      fd_(std::move(fd)),
      mapping_(std::move(mapping)),
      seed_(reinterpret_cast<IndexHeader*>(mapping_.data())->seed) {}

IndexBucket& IndexWriter::BucketAt(uint32_t number) const {
  auto* buckets =
      reinterpret_cast<IndexBucket*>(mapping_.data() + kBucketsOffset);
  return buckets[number];
}

IndexBucket& IndexWriter::BucketOf(const IndexKey& key) const {
  return BucketAt(IndexBucketOf(key, kBucketCount));
}

IndexSlot& IndexWriter::SlotAt(uint32_t slot) const {
  auto* slots = reinterpret_cast<IndexSlot*>(mapping_.data() + kSlotsOffset);
  return slots[slot];
}

Result<uint32_t> IndexWriter::Publish(std::string_view id, const Entry& entry) {
  const IndexKey key = MakeIndexKey(id, seed_);
  IndexBucket& bucket = BucketOf(key);
  if (FindInChain(bucket, key) != kNoSlot) {
    return Error{Code::kAlreadyExists, "the index has " + std::string(id)};
  }
  Result<uint32_t> slot = TakeSlot();
  if (!slot) return slot;
  Fill(&SlotAt(*slot), key, entry);
  // Readers that see the chain change see the odd version (all of these are
  // release stores, which readers acquire).
  const uint32_t version = bucket.version.load(std::memory_order_relaxed);
  bucket.version.store(version + 1, std::memory_order_relaxed);
  SlotAt(*slot).next.store(bucket.head.load(std::memory_order_relaxed),
                           std::memory_order_release);
  bucket.head.store(*slot, std::memory_order_release);
  bucket.version.store(version + 2, std::memory_order_release);
  return slot;
}

// Every store is a release: a reader that got a new field cannot read the old
// word after it.
void IndexWriter::Fill(IndexSlot* slot, const IndexKey& key,
                       const Entry& entry) {
  constexpr auto kRelease = std::memory_order_release;
  const uint64_t word = slot->word.load(std::memory_order_relaxed);
  slot->key_high.store(key.high, kRelease);
  slot->key_low.store(key.low, kRelease);
  slot->segment.store(entry.segment, kRelease);
  slot->offset.store(entry.offset, kRelease);
  slot->size_bytes.store(entry.size_bytes, kRelease);
  slot->flags.store(entry.flags, kRelease);
  slot->number.store(entry.number, kRelease);
  slot->word.store(MakeSlotWord(SlotGeneration(word) + 1, SlotState::kSealed),
                   kRelease);
}

uint32_t IndexWriter::Find(std::string_view id) const {
  const IndexKey key = MakeIndexKey(id, seed_);
  return FindInChain(BucketOf(key), key);
}

uint32_t IndexWriter::FindInChain(const IndexBucket& bucket,
                                  const IndexKey& key) const {
  uint32_t slot = bucket.head.load(std::memory_order_relaxed);
  for (; slot != kNoSlot;
       slot = SlotAt(slot).next.load(std::memory_order_relaxed)) {
    const IndexSlot& candidate = SlotAt(slot);
    if (candidate.key_low.load(std::memory_order_relaxed) == key.low &&
        candidate.key_high.load(std::memory_order_relaxed) == key.high) {
      break;
    }
  }
  return slot;
}

Result<uint32_t> IndexWriter::TakeSlot() {
  if (!free_slots_.empty()) {
    const uint32_t slot = free_slots_.back();
    free_slots_.pop_back();
    return slot;
  }
  if (used_slots_ == kSlotCount) {
    return Error{Code::kOutOfMemory, "the index is full"};
  }
  if (used_slots_ % kSlotsPerChunk == 0) {
    const uint64_t chunk = used_slots_ / kSlotsPerChunk;
    Status status =
        Allocate(fd_.get(), kSlotsOffset + chunk * kChunkBytes, kChunkBytes);
    if (!status) return status.error();
  }
  // Fresh memory is zero, which is a free slot of generation 0.
  return used_slots_++;
}

void IndexWriter::MarkEvicting(uint32_t slot) {
  Change(slot, SlotState::kSealed, SlotState::kEvicting);
}

void IndexWriter::Unmark(uint32_t slot) {
  Change(slot, SlotState::kEvicting, SlotState::kSealed);
}

void IndexWriter::SendElsewhere(uint32_t slot) {
  Change(slot, SlotState::kEvicting, SlotState::kElsewhere);
}

bool IndexWriter::IsElsewhere(uint32_t slot) const {
  return StateOf(slot) == SlotState::kElsewhere;
}

void IndexWriter::Change(uint32_t slot, SlotState from, SlotState to) {
  if (StateOf(slot) == from) SetState(slot, to);
}

SlotState IndexWriter::StateOf(uint32_t slot) const {
  if (slot >= used_slots_) return SlotState::kFree;
  return SlotStateOf(SlotAt(slot).word.load(std::memory_order_relaxed));
}

// Sequentially consistent: for MarkEvicting this is the evictor's full fence
// between its mark and its read of the pins (index_layout.h).
void IndexWriter::SetState(uint32_t slot, SlotState state) {
  if (!IsPublished(slot)) return;
  std::atomic<uint64_t>& word = SlotAt(slot).word;
  const uint64_t generation =
      SlotGeneration(word.load(std::memory_order_relaxed));
  word.store(MakeSlotWord(generation, state), std::memory_order_seq_cst);
}

// A reader that read a new field did so after the mark, and finds that the word
// has changed.
void IndexWriter::Move(uint32_t slot, uint64_t segment, uint64_t offset) {
  if (!IsPublished(slot)) return;
  IndexSlot& moved = SlotAt(slot);
  const uint64_t word = moved.word.load(std::memory_order_relaxed);
  if (SlotStateOf(word) != SlotState::kEvicting) return;
  moved.segment.store(segment, std::memory_order_release);
  moved.offset.store(offset, std::memory_order_release);
  moved.word.store(MakeSlotWord(SlotGeneration(word) + 1, SlotState::kSealed),
                   std::memory_order_release);
}

// Clients that wait for the bucket sleep on its version.
void IndexWriter::Return(uint32_t slot, uint64_t segment, uint64_t offset) {
  if (!IsElsewhere(slot)) return;
  IndexSlot& back = SlotAt(slot);
  IndexBucket& bucket = BucketOf(KeyOf(back));
  const uint32_t version = bucket.version.load(std::memory_order_relaxed);
  bucket.version.store(version + 1, std::memory_order_relaxed);
  back.segment.store(segment, std::memory_order_release);
  back.offset.store(offset, std::memory_order_release);
  const uint64_t word = back.word.load(std::memory_order_relaxed);
  back.word.store(MakeSlotWord(SlotGeneration(word) + 1, SlotState::kSealed),
                  std::memory_order_release);
  bucket.version.store(version + 2, std::memory_order_release);
}

void IndexWriter::Remove(uint32_t slot) {
  if (!IsPublished(slot)) return;
  IndexSlot& gone = SlotAt(slot);
  IndexBucket& bucket = BucketOf(KeyOf(gone));
  std::atomic<uint32_t>* link = &bucket.head;
  uint32_t current = link->load(std::memory_order_relaxed);
  while (current != slot && current != kNoSlot) {
    link = &SlotAt(current).next;
    current = link->load(std::memory_order_relaxed);
  }
  const uint32_t version = bucket.version.load(std::memory_order_relaxed);
  bucket.version.store(version + 1, std::memory_order_relaxed);
  if (current == slot) {
    link->store(gone.next.load(std::memory_order_relaxed),
                std::memory_order_release);
  }
  SetState(slot, SlotState::kFree);
  bucket.version.store(version + 2, std::memory_order_release);
  free_slots_.push_back(slot);
}

const std::atomic<uint32_t>* IndexWriter::AwaitedFutex(uint32_t slot,
                                                       uint64_t awaited) const {
  const uint32_t bucket = IndexBucketOf(KeyOf(SlotAt(slot)), kBucketCount);
  if ((awaited & AwaitedBit(bucket)) == 0) return nullptr;
  return &BucketAt(bucket).version;
}

uint64_t IndexWriter::PinOf(uint32_t slot) const {
  if (!IsPublished(slot)) return 0;
  const uint64_t word = SlotAt(slot).word.load(std::memory_order_relaxed);
  return MakePin(slot, SlotGeneration(word));
}

bool IndexWriter::IsPublished(uint32_t slot) const {
  return StateOf(slot) != SlotState::kFree;
}

uint64_t IndexWriter::allocated_bytes() const {
  struct stat info;
  // fstat(2) cannot fail on an open descriptor.
  return ::fstat(fd_.get(), &info) == 0
             ? static_cast<uint64_t>(info.st_blocks) * 512
             : 0;
}

Result<UniqueFd> IndexWriter::OpenReadOnly() const {
  UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return ErrnoError("open " + path_, errno);
  return fd;
}

}  // namespace vitrine::store
