#ifndef VITRINE_STORE_TIERS_SPILL_CLEANER_H_
#define VITRINE_STORE_TIERS_SPILL_CLEANER_H_

#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "schema/base/mutex.h"
#include "store/tiers/deletion_log.h"
#include "store/tiers/spill_book.h"
#include "store/tiers/spill_io.h"

namespace vitrine::store {

// Carries out deletions in an external store, on a thread of its own: logs what
// is forgotten of values that live on, deletes values that are dead, and copies
// what is live in those that are mostly dead.  A copy may take space beyond the
// limit until the old values are deleted.
// Thread-safe.  What it is given must outlive it.
class SpillCleaner {
 public:
  SpillCleaner(SpillBook* book, SpillIo* io, DeletionLog log);
  ~SpillCleaner();

  // Ends the thread, logs what is forgotten and deletes what is dead, as far as
  // it can.  Nothing is done after it.
  Status Stop() EXCLUDES(mutex_);

  // Something is dead.
  void Wake() EXCLUDES(mutex_);

  struct Numbers {
    uint64_t deleted_values = 0;
    uint64_t copied_bytes = 0;
    uint64_t logged_deletions = 0;
  };
  Numbers Count() const EXCLUDES(mutex_);

 private:
  void Run() EXCLUDES(mutex_);
  // False: the end.
  bool WaitForWork() EXCLUDES(mutex_);
  // After a failure: later each time.
  void NoteDone(const Status& done) EXCLUDES(mutex_);
  Status LogForgotten() EXCLUDES(mutex_);
  // Logs that name nothing that any value has are deleted.
  Status DropLogs();
  Status DeleteDead() EXCLUDES(mutex_);
  // Copies what is live in some values into one.
  Status CopyLive() EXCLUDES(mutex_);
  struct Living {
    uint64_t sequence;  // Of the value that has it.
    SpilledObject spilled;
  };
  // Adds what is live of a value, by its head.
  Status FindLive(const SpillBook::Value& value, std::vector<Living>* live);
  Status Copy(const std::vector<Living>& live) EXCLUDES(mutex_);
  // Leaves out what is damaged.
  Status ReadLive(const std::vector<Living>& live,
                  std::vector<std::byte>* bytes,
                  std::vector<Tier::Load>* loads);
  Status WriteCopy(std::span<const Tier::Load> loads) EXCLUDES(mutex_);
  // True if `status` is of a value that is damaged; it is not tried again.
  bool KeepIfDamaged(uint64_t sequence, const Status& status);

  SpillBook* const book_;
  SpillIo* const io_;
  // Of the thread alone.
  DeletionLog log_;
  std::chrono::milliseconds pause_{0};

  Status ended_;  // Of Stop.

  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool woken_ GUARDED_BY(mutex_) = false;
  Numbers numbers_ GUARDED_BY(mutex_);

  std::thread thread_;  // Last: it uses all of the above.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TIERS_SPILL_CLEANER_H_
