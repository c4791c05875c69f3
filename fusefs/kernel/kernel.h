// The mount's own calls to the kernel, besides answers.
#ifndef VITRINE_FUSEFS_KERNEL_KERNEL_H_
#define VITRINE_FUSEFS_KERNEL_KERNEL_H_

#include <vitrine/result.h>

#include <cstdint>
#include <string>

namespace vitrine::fusefs {

// Thread-safe.  The two Invalidate methods may wait for requests under way, so
// a thread that answers a request must not call them.
class Kernel {
 public:
  virtual ~Kernel() = default;

  // Registers `fd` as a file that opens can be passed through to.
  virtual Result<int32_t> RegisterBacking(int fd) = 0;
  virtual void UnregisterBacking(int32_t backing_id) = 0;
  // Makes the kernel forget a name, or a node's attributes.
  virtual void InvalidateEntry(uint64_t dir, const std::string& name) = 0;
  virtual void InvalidateAttributes(uint64_t node) = 0;
};

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_KERNEL_KERNEL_H_
