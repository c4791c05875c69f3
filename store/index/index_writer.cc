#include "store/index/index_writer.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "schema/client_page.h"

namespace vitrine::store {
namespace {

Result<UniqueFd> MakeFile(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return ErrnoError("unlink " + path, errno);
  }
  UniqueFd fd(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return ErrnoError("create " + path, errno);
  return fd;
}

}  // namespace

Result<IndexWriter> IndexWriter::Create(const std::string& path) {
  Result<UniqueFd> fd = MakeFile(path);
  if (!fd) return fd.error();
  // Clients get descriptors of it.
  Result<IndexBuckets> buckets =
      ::fchmod(fd->get(), 0600) == 0  // The umask may have taken bits away.
          ? IndexBuckets::Create(fd->get())
          : ErrnoError("chmod " + path, errno);
  if (!buckets) {
    ::unlink(path.c_str());
    return buckets.error();
  }
  return IndexWriter(path, std::move(*fd), std::move(*buckets));
}

Result<uint32_t> IndexWriter::Publish(std::string_view id, const Entry& entry) {
  const IndexKey key = MakeIndexKey(id, buckets_.seed());
  if (buckets_.Find(key) != kNoSlot) {
    return Error{Code::kAlreadyExists, "the index has " + std::string(id)};
  }
  const uint32_t slot = FreeSlot();
  Status inserted = buckets_.Insert({.key = key,
                                     .word = NextWord(),
                                     .segment = entry.segment,
                                     .offset = entry.offset,
                                     .size_bytes = entry.size_bytes,
                                     .number = entry.number,
                                     .slot = slot,
                                     .flags = entry.flags});
  if (!inserted) return inserted.error();
  TakeFreeSlot();
  return slot;
}

uint32_t IndexWriter::FreeSlot() const {
  return free_slots_.empty() ? used_slots_ : free_slots_.back();
}

void IndexWriter::TakeFreeSlot() {
  if (free_slots_.empty()) {
    ++used_slots_;
  } else {
    free_slots_.pop_back();
  }
}

uint64_t IndexWriter::NextWord() {
  return MakeSlotWord(++last_generation_, SlotState::kSealed);
}

uint32_t IndexWriter::Find(std::string_view id) const {
  return buckets_.Find(MakeIndexKey(id, buckets_.seed()));
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
  if (!buckets_.Contains(slot)) return SlotState::kFree;
  return SlotStateOf(
      buckets_.PlaceOf(slot).word().load(std::memory_order_relaxed));
}

// Sequentially consistent: for MarkEvicting this is the evictor's full fence
// between its mark and its read of the pins (index_layout.h).
void IndexWriter::SetState(uint32_t slot, SlotState state) {
  std::atomic<uint64_t>& word = buckets_.PlaceOf(slot).word();
  const uint64_t generation =
      SlotGeneration(word.load(std::memory_order_relaxed));
  word.store(MakeSlotWord(generation, state), std::memory_order_seq_cst);
}

// A reader that read a new field did so after the mark, and finds that the word
// has changed.
void IndexWriter::Move(uint32_t slot, uint64_t segment, uint64_t offset) {
  if (StateOf(slot) != SlotState::kEvicting) return;
  const IndexBuckets::Place place = buckets_.PlaceOf(slot);
  place.entry().segment.store(segment, std::memory_order_release);
  place.entry().offset.store(offset, std::memory_order_release);
  place.word().store(NextWord(), std::memory_order_release);
}

// Clients that wait for the object sleep on the version.
void IndexWriter::Return(uint32_t slot, uint64_t segment, uint64_t offset) {
  if (!IsElsewhere(slot)) return;
  const IndexBuckets::Place place = buckets_.PlaceOf(slot);
  const ChainChange change(&buckets_.FirstOf(place.key()));
  place.entry().segment.store(segment, std::memory_order_release);
  place.entry().offset.store(offset, std::memory_order_release);
  place.word().store(NextWord(), std::memory_order_release);
}

void IndexWriter::Remove(uint32_t slot) {
  if (!IsPublished(slot)) return;
  buckets_.Erase(slot);
  free_slots_.push_back(slot);
}

const std::atomic<uint32_t>* IndexWriter::AwaitedFutex(uint32_t slot,
                                                       uint64_t awaited) const {
  const IndexKey key = buckets_.PlaceOf(slot).key();
  if ((awaited & AwaitedBit(KeyGroupOf(key))) == 0) return nullptr;
  return &buckets_.FirstOf(key).version;
}

std::vector<const std::atomic<uint32_t>*> IndexWriter::TakeMovedFutexes() {
  return buckets_.TakeSplit();
}

uint64_t IndexWriter::PinOf(uint32_t slot) const {
  if (!IsPublished(slot)) return 0;
  const uint64_t word =
      buckets_.PlaceOf(slot).word().load(std::memory_order_relaxed);
  return MakePin(slot, SlotGeneration(word));
}

bool IndexWriter::IsPublished(uint32_t slot) const {
  return buckets_.Contains(slot);
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
