// The store's side of the index (schema/index_layout.h).
#ifndef VITRINE_STORE_INDEX_INDEX_WRITER_H_
#define VITRINE_STORE_INDEX_INDEX_WRITER_H_

#include <vitrine/result.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "schema/base/unique_fd.h"
#include "store/index/index_buckets.h"

namespace vitrine::store {

// Writes one index file.  Not thread-safe: the object table's lock guards it.
class IndexWriter {
 public:
  // Makes a new, empty index file at `path` (mode 0644), replacing any that is
  // there; the seed is random.  Memory is taken as slots come into use.
  static Result<IndexWriter> Create(const std::string& path);

  struct Entry {
    uint64_t segment;
    uint64_t offset;
    uint64_t size_bytes;
    uint8_t flags;
    uint64_t number = 0;
  };
  // Makes `id` visible.  Returns its slot.  kAlreadyExists: its key is taken.
  // kOutOfMemory: there is no free slot, or no memory for one.
  Result<uint32_t> Publish(std::string_view id, const Entry& entry);
  // The slot that has the key of `id`; kNoSlot: none.
  uint32_t Find(std::string_view id) const;
  // Marks a published slot as being evicted, and takes the mark back.
  void MarkEvicting(uint32_t slot);
  void Unmark(uint32_t slot);
  // Sets a new place for the bytes of a slot that is being evicted, and takes
  // the mark back.
  void Move(uint32_t slot, uint64_t segment, uint64_t offset);
  // The bytes of a slot that is being evicted are kept elsewhere from now on,
  // not in memory.  Takes the mark back.
  void SendElsewhere(uint32_t slot);
  // The bytes of a slot that is elsewhere are in memory again.  The caller
  // wakes readers that wait for the bucket (AwaitedFutex).
  void Return(uint32_t slot, uint64_t segment, uint64_t offset);
  bool IsElsewhere(uint32_t slot) const;
  // Takes the object out of the table and frees its slot.
  void Remove(uint32_t slot);

  // The futex on which clients wait for the object in this slot; null if no
  // client waits by `awaited` (ClientRegistry::AwaitedGroups).
  const std::atomic<uint32_t>* AwaitedFutex(uint32_t slot,
                                            uint64_t awaited) const;
  // The futexes whose waiters have to look at another one from now on, because
  // publications since the last call have split buckets.
  std::vector<const std::atomic<uint32_t>*> TakeMovedFutexes();

  // The pin that a client writes for this slot (MakePin).
  uint64_t PinOf(uint32_t slot) const;
  bool IsPublished(uint32_t slot) const;
  // Bytes of memory that the file takes.
  uint64_t allocated_bytes() const;
  // A new read-only description for clients.
  Result<UniqueFd> OpenReadOnly() const;

 private:
  IndexWriter(std::string path, UniqueFd fd, IndexBuckets buckets)
      : path_(std::move(path)),
        fd_(std::move(fd)),
        buckets_(std::move(buckets)) {}

  uint32_t FreeSlot() const;
  void TakeFreeSlot();
  uint64_t NextWord();
  // Of a slot that is not in use: kFree.
  SlotState StateOf(uint32_t slot) const;
  void SetState(uint32_t slot, SlotState state);
  // SetState, if the slot has the state `from`.
  void Change(uint32_t slot, SlotState from, SlotState to);

  std::string path_;
  UniqueFd fd_;
  IndexBuckets buckets_;
  uint64_t last_generation_ = 0;
  uint32_t used_slots_ = 0;           // Slots from here on were never used.
  std::vector<uint32_t> free_slots_;  // Used before, not in use now.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_INDEX_INDEX_WRITER_H_
