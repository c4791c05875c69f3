// Values of the spill format in an external store: put, got and deleted with
// several tries.
#ifndef VITRINE_STORE_TIERS_SPILL_IO_H_
#define VITRINE_STORE_TIERS_SPILL_IO_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "schema/base/mutex.h"
#include "store/tiers/handle_pool.h"
#include "store/tiers/spill_format.h"

namespace vitrine::store {

// How often what may pass is tried.  The pauses grow fourfold, and each is half
// to one and a half of that by chance.
struct SpillRetries {
  int most_tries = 4;
  std::chrono::milliseconds first_pause{10};
  // After the store was full.
  std::chrono::milliseconds full_pause{2000};
};

// Thread-safe.
class SpillIo {
 public:
  SpillIo(std::string url, size_t most_handles, SpillRetries retries)
      : retries_(retries), handles_(std::move(url), most_handles) {}

  Status Put(const SpillValue& value) EXCLUDES(mutex_);
  Status Get(uint64_t sequence, uint64_t offset_bytes,
             std::span<std::byte> bytes) EXCLUDES(mutex_);
  Status Delete(std::span<const uint64_t> sequences) EXCLUDES(mutex_);
  // Values whose names are those of the spill format.
  struct Listed {
    uint64_t sequence;
    uint64_t size_bytes;
  };
  Result<std::vector<Listed>> List() EXCLUDES(mutex_);
  // kCorruption: the value does not begin with a head.
  Result<SpillHead> ReadHead(const Listed& value) EXCLUDES(mutex_);

  // --- values of other sorts, which are small ---
  Status PutSmall(const std::string& name, const std::string& value)
      EXCLUDES(mutex_);
  // kCorruption: it is not of that size.
  Result<std::string> GetSmall(const std::string& name, uint64_t size_bytes)
      EXCLUDES(mutex_);
  // For `status`, of a value that was not even tried.
  void NoteRefused(const Status& refused) EXCLUDES(mutex_) {
    NoteDone(refused);
  }
  Status DeleteSmall(const std::vector<std::string>& names) EXCLUDES(mutex_);
  // Names and sizes of those whose names begin with `prefix`.
  using SmallValues = std::vector<std::pair<std::string, uint64_t>>;
  Result<SmallValues> ListSmall(std::string_view prefix) EXCLUDES(mutex_);

  struct Numbers {
    uint64_t puts = 0;
    uint64_t put_bytes = 0;
    uint64_t put_ns = 0;  // All threads together.
    uint64_t gets = 0;
    uint64_t got_bytes = 0;
    uint64_t get_ns = 0;
    uint64_t retries = 0;
    uint64_t failures = 0;  // Calls that no try could do.
    bool failing = false;   // The last call failed.
    std::string last_error = {};
  };
  Numbers Count() const EXCLUDES(mutex_);

 private:
  Status Try(const HandlePool::Use& use) EXCLUDES(mutex_);
  void NoteDone(const Status& done) EXCLUDES(mutex_);
  void NoteTried(const Status& status) EXCLUDES(mutex_);
  void NotePut(uint64_t bytes, uint64_t ns) EXCLUDES(mutex_);
  void NoteGot(uint64_t bytes, uint64_t ns) EXCLUDES(mutex_);
  // Makes `head` the first `wanted` bytes of the value.
  Status Extend(const Listed& value, uint64_t wanted, std::string* head);

  const SpillRetries retries_;
  HandlePool handles_;

  mutable Mutex mutex_;
  Numbers numbers_ GUARDED_BY(mutex_);
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_TIERS_SPILL_IO_H_
