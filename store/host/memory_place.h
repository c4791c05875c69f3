// Where a store's memory is: made at start, given back at a clean stop.
//
//   own tmpfs          <state_dir>/memory          root's default
//   private directory  /dev/shm/vitrine-<uid>-<h>  everybody else's
//   given directory    --memory-dir                on a tmpfs or a hugetlbfs
//
// It holds `segments/`, beside it `retired/`, which nobody else may look into,
// and the index and the journal; those two are in a private directory if the
// given directory is on a hugetlbfs, whose files cannot be written.
//
// Invariants:
//  (1) What a killed store of the same state directory left is taken over as
//      it is.
//  (2) Nothing that belongs to others is touched: a given directory must be
//      free of foreign files of our names, and holds an empty directory that
//      names our state directory (`.vitrine%var%lib%vitrine`) while it is ours.
#ifndef VITRINE_STORE_HOST_MEMORY_PLACE_H_
#define VITRINE_STORE_HOST_MEMORY_PLACE_H_

#include <vitrine/result.h>

#include <cstdint>
#include <memory>
#include <string>

#include "store/base/store_options.h"
#include "store/host/memory_sizes.h"

namespace vitrine::store {

// Not thread-safe; constant once prepared.
class MemoryPlace {
 public:
  // The caller has the lock of options.state_dir.  kTooLarge: the sizes that
  // `options` asks for cannot be had.  kInvalidArgument: the directory is on
  // neither tmpfs nor hugetlbfs.  kUnavailable: it is somebody else's.
  // kUnsupported: huge pages as asked for cannot be had.
  static Result<std::unique_ptr<MemoryPlace>> Prepare(
      const StoreOptions& options);

  // Without Release: what Prepare made is given back (a start that failed);
  // what a killed store left stays for the next start.
  ~MemoryPlace();
  MemoryPlace(const MemoryPlace&) = delete;
  MemoryPlace& operator=(const MemoryPlace&) = delete;

  // Gives all memory back.  Readers keep what they have open or mapped.
  Status Release();
  // The memory stays as it is, for the next start.
  void Keep() { ours_ = false; }

  const std::string& memory_dir() const { return memory_dir_; }
  const std::string& segments_dir() const { return segments_dir_; }
  const std::string& retired_dir() const { return retired_dir_; }
  // For index and journal.
  const std::string& control_dir() const { return control_dir_; }
  uint64_t capacity_bytes() const { return sizes_.capacity_bytes; }
  uint64_t overshoot_bytes() const { return sizes_.overshoot_bytes; }
  bool huge_pages() const { return huge_pages_; }
  // True if what a killed store left was taken over.
  bool taken_over() const { return !fresh_; }
  // "own tmpfs (huge pages within_size, noswap)".
  const std::string& Describe() const { return words_; }

 private:
  enum class Kind : uint8_t { kOwnTmpfs, kPrivate, kGiven };

  MemoryPlace() = default;

  Status PrepareAny(const StoreOptions& options);
  // kUnavailable: a killed store left objects on an own tmpfs, and `options`
  // name another place, from where they could not be seen.
  Status CheckNothingElsewhere(const StoreOptions& options) const;
  Status PrepareOwnTmpfs(const StoreOptions& options);
  // `why`: what is to be said of the choice, or empty.
  Status PreparePrivate(const StoreOptions& options, const std::string& why);
  Status PrepareGiven(const StoreOptions& options);
  Status PrepareGivenTmpfs(const StoreOptions& options);
  Status PrepareGivenHugetlbfs(const StoreOptions& options,
                               uint64_t page_bytes);
  // Makes the given directory ours, or finds that it is.
  Status Claim();
  std::string ClaimPath() const;
  // The private directory of our state directory.
  // True if a store of ours that was killed has a private directory.
  bool HasPrivateObjects() const;
  std::string PrivateDir() const;
  Status ReleaseGiven() const;

  Kind kind_ = Kind::kPrivate;
  std::string state_dir_;  // Without symbolic links.
  std::string memory_dir_;
  std::string segments_dir_;
  std::string retired_dir_;
  std::string control_dir_;
  MemorySizes sizes_{};
  bool huge_pages_ = false;
  std::string words_;

  bool ours_ = false;   // There is something to give back.
  bool fresh_ = false;  // Prepare made it.
};

}  // namespace vitrine::store

#endif  // VITRINE_STORE_HOST_MEMORY_PLACE_H_
