// What puts and crowds cannot do without: copies, mappings, system calls.  Each
// function does something many times and returns nanoseconds for one time, the
// median.
#ifndef VITRINE_BENCHMARKS_MEMORY_PARTS_H_
#define VITRINE_BENCHMARKS_MEMORY_PARTS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "schema/base/mapping.h"
#include "schema/base/unique_fd.h"

namespace vitrine {

// Files in a directory of a tmpfs that have all of their pages.
class PresentFiles {
 public:
  PresentFiles(const std::string& directory, size_t count, size_t size_bytes);

  size_t size_bytes() const { return size_bytes_; }
  const std::vector<UniqueFd>& fds() const { return fds_; }

 private:
  size_t size_bytes_;
  std::vector<UniqueFd> fds_;
};

// memcpy from a buffer that is used again and again into the files in turn,
// which are mapped: memory that others used before is in no cache.
double TimeCopyInTurn(const PresentFiles& files);

// The same by pwrite(2), without a mapping.
double TimeWriteInTurn(const PresentFiles& files);

// A mapping that is written to: all pages are faulted in by one call.
double TimeMapForWriting(const PresentFiles& files);
double TimeUnmap(const PresentFiles& files);
// A mapping that is read, page after page.
double TimeMapAndRead(const PresentFiles& files);

// The system calls by which the store seals a blank, in their order.
inline constexpr std::array<const char*, 8> kSealCalls = {
    "open",  "F_SETSIG",        "F_SETLEASE", "F_SETLEASE back",
    "fstat", "pwrite of 200 B", "fchmod",     "close"};
// Of each of them, one after the other on a file in the directory.
std::array<double, kSealCalls.size()> TimeSealCalls(
    const std::string& directory);

// A look-up of a name that is not there and that the kernel does not remember:
// through FUSE, one round trip.
double TimeLookUp(const std::string& directory);

// Filling and checking the bytes of one object of a crowd, while all CPUs do
// the same: CPU time, as the crowd has no other to give.
double TimeCrowdBytes();

}  // namespace vitrine

#endif  // VITRINE_BENCHMARKS_MEMORY_PARTS_H_
