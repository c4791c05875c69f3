// The state of an object while it is open through the mount.
//
// Invariants:
//  (1) An object has at most one backing id for all of its opens.  The id stays
//      registered until the last of them is released.  The kernel refuses a
//      second id (EBUSY), and cached opens beside it (EIO).
//  (2) An object that shares its segment with others is not passed through.
//  (3) Whether an object is passed through is decided at its first open and
//      holds until its last release.
//  (4) Each user who has an object open is charged one descriptor for it.  The
//      store has one in all, so there are never more than are charged.
#ifndef VITRINE_FUSEFS_FILES_OPEN_OBJECTS_H_
#define VITRINE_FUSEFS_FILES_OPEN_OBJECTS_H_

#include <vitrine/result.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "fusefs/base/store_names.h"
#include "fusefs/kernel/kernel.h"
#include "schema/base/mutex.h"
#include "store/segments/segment_file.h"

namespace vitrine::fusefs {

// Thread-safe.  The store must outlive it, the kernel until Detach.
class OpenObjects {
 public:
  // `kernel` null: nothing is passed through.
  OpenObjects(Store* store, Kernel* kernel);

  struct Opened {
    std::shared_ptr<SegmentFile> segment;
    int32_t backing_id = 0;  // 0: not passed through.
  };
  // One more open of `object`.  kOverQuota, kTooMany: `payer`, or all, have as
  // many descriptors as may be.
  Result<Opened> Acquire(const ObjectRef& object, uint64_t number,
                         const Payer& payer) EXCLUDES(mutex_);
  // Counts a writer among the object's opens, or drops one.  Returns the number
  // of its other writers.
  uint32_t AddWriter(uint64_t number) EXCLUDES(mutex_);
  uint32_t RemoveWriter(uint64_t number) EXCLUDES(mutex_);
  // A writer was closed for the first time: Release follows, unless another
  // descriptor or a mapping keeps it open.
  void NoteWriterClosed(uint64_t number) EXCLUDES(mutex_);
  // True: every open that writes has been closed, and the kernel is yet to
  // release one of them.
  bool WritersAreClosing(uint64_t number) const EXCLUDES(mutex_);
  // It is not the closing that keeps a seal from succeeding: false from now on.
  void NotePatienceInVain(uint64_t number) EXCLUDES(mutex_);
  // `payer` as in Acquire.  `closed`: it was counted by NoteWriterClosed.
  void Release(uint64_t number, const Payer& payer, bool closed)
      EXCLUDES(mutex_);
  // The mount has ended: its backing ids are void.
  void Detach() EXCLUDES(mutex_);

  // For what an open file needs besides.
  SharedLimit& descriptors() { return descriptors_; }

  struct Numbers {
    size_t objects;
    size_t passed_through;
    uint64_t passthrough_opens;  // Since the start.
  };
  Numbers Count() const EXCLUDES(mutex_);

 private:
  struct Opener {
    Payer payer;
    uint32_t opens = 0;
  };
  struct Entry {
    Opened opened;
    std::vector<Opener> openers;  // Few: users.
    uint32_t opens = 0;
    uint32_t writers = 0;  // Of the opens.
    uint32_t closed_writers = 0;
    bool patience_in_vain = false;
  };

  // `payer` has been charged for `opened`.
  Opened AddCharged(uint64_t number, const Payer& payer, Opened opened,
                    bool in_slab) EXCLUDES(mutex_);
  static Opener* FindOpener(Entry* entry, const Payer& payer);
  Opened AddOpen(Entry* entry, Opener* opener) REQUIRES(mutex_);
  void RemoveOpen(Entry* entry, const Payer& payer) REQUIRES(mutex_);

  Store* const store_;
  SharedLimit descriptors_;  // Locks itself.

  mutable Mutex mutex_;
  Kernel* kernel_ GUARDED_BY(mutex_);
  uint64_t passthrough_opens_ GUARDED_BY(mutex_) = 0;
  std::unordered_map<uint64_t, Entry> entries_ GUARDED_BY(mutex_);
};

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_FILES_OPEN_OBJECTS_H_
