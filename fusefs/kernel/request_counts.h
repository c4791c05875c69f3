#ifndef VITRINE_FUSEFS_KERNEL_REQUEST_COUNTS_H_
#define VITRINE_FUSEFS_KERNEL_REQUEST_COUNTS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "fusefs/base/store_names.h"

namespace vitrine::fusefs {

enum class RequestKind : uint8_t {
  kLookup,
  kForget,
  kGetattr,
  kSetattr,
  kReadlink,
  kUnlink,
  kRename,
  kRefused,  // mkdir, rmdir, symlink, link, mknod
  kOpen,
  kCreate,
  kRead,
  kWrite,
  kFlush,
  kRelease,
  kFsync,
  kFallocate,
  kLseek,
  kOpendir,
  kReaddir,
  kReaddirplus,
  kReleasedir,
  kStatfs,
  kSetxattr,
  kGetxattr,
  kListxattr,
  kRemovexattr,
  kCount
};

// Counts requests by kind.  Thread-safe.
class RequestCounts {
 public:
  void Add(RequestKind kind) {
    counts_[static_cast<size_t>(kind)].fetch_add(1, std::memory_order_relaxed);
  }
  // By name; kinds that never came are left out.
  StatusSection::Family GetStatus() const;

 private:
  std::array<std::atomic<uint64_t>, static_cast<size_t>(RequestKind::kCount)>
      counts_{};
};

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_KERNEL_REQUEST_COUNTS_H_
