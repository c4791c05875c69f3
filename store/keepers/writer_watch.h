// Watches passthrough writers, whose writes the store cannot see.  Charges the
// memory that they take, and reserves huge pages ahead of them, so that a file
// that grows by small writes gets huge pages as well.
#ifndef VITRINE_STORE_KEEPERS_WRITER_WATCH_H_
#define VITRINE_STORE_KEEPERS_WRITER_WATCH_H_

#include <cstdint>
#include <list>
#include <thread>

#include "schema/base/mutex.h"
#include "store/segments/memory_budget.h"
#include "store/segments/segment_dir.h"
#include "store/table/object_table.h"

namespace vitrine::store {

// Owns one thread, which sleeps while there is no writer.  Thread-safe.  The
// constructor's arguments must outlive it.
class WriterWatch {
 public:
  struct Options {
    bool reserve_ahead = false;
    // The kernel gives huge pages to writes that fill them.
    bool whole_writes_get_huge_pages = false;
    // Capacity plus overshoot: beyond it passthrough writers get ENOSPC.
    uint64_t limit_bytes = 0;
  };
  WriterWatch(ObjectTable* table, SegmentDir* segments, MemoryBudget* budget,
              Options options);
  ~WriterWatch();

  void Add(const ObjectRef& object) EXCLUDES(mutex_);
  // Ends one Add.  After it no memory is reserved for that writer.
  void Remove(const ObjectRef& object) EXCLUDES(mutex_);

  struct Numbers {
    uint64_t writers = 0;
    uint64_t outran = 0;  // Times that writers went through the overshoot.
  };
  Numbers Count() const EXCLUDES(mutex_);

 private:
  struct Watched {
    ObjectRef object;
    uint64_t last_size_bytes = 0;
  };

  void Run() EXCLUDES(mutex_);
  // True if any writer has written since the last look.
  bool LookAtAll() REQUIRES(mutex_);
  bool LookAt(Watched* watched) REQUIRES(mutex_);
  bool NeedsPages(uint64_t size_bytes) const;
  void ReserveAhead(const ObjectRef& object, uint64_t size_bytes)
      REQUIRES(mutex_);
  void CountOutrun() REQUIRES(mutex_);

  ObjectTable* const table_;  // Lock themselves.
  SegmentDir* const segments_;
  MemoryBudget* const budget_;
  const Options options_;

  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool at_limit_ GUARDED_BY(mutex_) = false;
  uint64_t outran_ GUARDED_BY(mutex_) = 0;
  std::list<Watched> watched_ GUARDED_BY(mutex_);

  std::thread thread_;  // Last: it uses all of the above.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_KEEPERS_WRITER_WATCH_H_
