#ifndef VITRINE_STORE_TIERS_SPILL_TIER_H_
#define VITRINE_STORE_TIERS_SPILL_TIER_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "store/tiers/crew.h"
#include "store/tiers/spill_book.h"
#include "store/tiers/spill_cleaner.h"
#include "store/tiers/spill_io.h"
#include "store/tiers/tier.h"

namespace vitrine::store {

// A tier that keeps objects in an external store.
//
// Small objects are fused: those of one Put into values of up to 64 MiB.  Those
// of 8 MiB and more have values of their own, which are deleted with them; the
// space of small ones comes back later (SpillCleaner).  Get verifies the bytes;
// a value with a damaged object is kept as it is, for inspection, as long as
// this store runs.
class SpillTier : public Tier {
 public:
  struct Options {
    std::string url;
    // What the values may take together, dead objects included; kOutOfMemory
    // beyond it.  0: no limit.
    uint64_t spill_limit_bytes = 0;
    size_t most_handles = 8;
    SpillRetries retries = {};
  };
  // Connects, and finds what an earlier store left.
  static Result<std::unique_ptr<SpillTier>> Open(Options options);

  Status Put(std::span<const Load> loads) override;
  Status Get(const ObjectInfo& object, std::span<std::byte> bytes) override;
  void Forget(uint64_t number) override;
  // If nobody calls it, all that was found is kept.
  Result<std::vector<Found>> TakeFound() override;
  std::vector<uint64_t> identities() const override { return {identity_}; }
  uint64_t highest_number() const override { return highest_number_; }
  bool Has(uint64_t number) const override;
  Status End() override { return cleaner_->Stop(); }
  std::vector<StatusSection> Sections() const override;

 private:
  explicit SpillTier(Options options);

  // Reads what an earlier store left, but for the values.
  Result<DeletionLog> ReadLogs();
  void TrimLog(DeletionLog* log);
  Status Scan();
  // kOutOfMemory: there is none.  What it takes is reserved.
  Status CheckRoom(uint64_t bytes);
  void NoteFull(const Status& put);
  // A value that cannot be read is counted and kept.
  Status ScanValue(const SpillIo::Listed& value);
  // Writes a value; on failure nothing of it stays.
  Result<SpillHead> WriteValue(std::span<const Load> loads);
  // Those that were written, after a failure as well.
  Status WriteAll(std::span<const Load> loads, std::vector<SpillHead>* written);
  Status ReadVerified(const SpillBook::Place& place,
                      std::span<std::byte> bytes);
  Status NoteRead(const ObjectInfo& object, const SpillBook::Place& place,
                  const Status& read);

  const Options options_;
  SpillBook book_;
  SpillIo io_;
  Crew crew_;
  // Nothing is put before that.
  std::atomic<std::chrono::steady_clock::duration> full_until_{{}};
  uint64_t identity_ = 0;
  uint64_t highest_number_ = 0;  // As it was at the start.
  // Of an earlier store, during the start.
  std::unordered_set<uint64_t> deleted_;
  // By number, until they are taken.
  std::unordered_map<uint64_t, Found> found_;
  std::unique_ptr<SpillCleaner> cleaner_;  // Last: it uses book and io.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TIERS_SPILL_TIER_H_
