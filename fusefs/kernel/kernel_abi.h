// Parts of the kernel's FUSE protocol that older copies of <linux/fuse.h> and
// libfuse lack: passthrough (protocol 7.40) and its negotiation.
// schema/machine/fuse_init.h has the flags of INIT.
#ifndef VITRINE_FUSEFS_KERNEL_KERNEL_ABI_H_
#define VITRINE_FUSEFS_KERNEL_KERNEL_ABI_H_

#include <linux/fuse.h>
#include <sys/ioctl.h>

#include <cstddef>
#include <cstdint>

namespace vitrine::fusefs {

// Flags of an OPEN reply.  Passthrough goes with kOpenDirectIo and
// kOpenNoFlush, but not with kOpenKeepCache.
inline constexpr uint32_t kOpenDirectIo = 1u << 0;
inline constexpr uint32_t kOpenKeepCache = 1u << 1;
inline constexpr uint32_t kOpenNoFlush = 1u << 5;
inline constexpr uint32_t kOpenPassthrough = 1u << 7;

struct InitOut {
  uint32_t major;
  uint32_t minor;
  uint32_t max_readahead;
  uint32_t flags;
  uint16_t max_background;
  uint16_t congestion_threshold;
  uint32_t max_write;
  uint32_t time_gran;
  uint16_t max_pages;
  uint16_t map_alignment;
  uint32_t flags2;
  uint32_t max_stack_depth;
  uint32_t unused[6];
};
static_assert(sizeof(InitOut) == 64);
static_assert(sizeof(InitOut) == sizeof(fuse_init_out));

struct OpenOut {
  uint64_t fh;
  uint32_t open_flags;
  int32_t backing_id;
};
static_assert(sizeof(OpenOut) == sizeof(fuse_open_out));

struct CreateOut {
  fuse_entry_out entry;
  OpenOut open;
};
static_assert(sizeof(CreateOut) ==
              sizeof(fuse_entry_out) + sizeof(fuse_open_out));

struct BackingMap {
  int32_t fd;
  uint32_t flags;
  uint64_t padding;
};

inline constexpr unsigned long kIoctlBackingOpen = _IOW(229, 1, BackingMap);
inline constexpr unsigned long kIoctlBackingClose = _IOW(229, 2, uint32_t);

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_KERNEL_KERNEL_ABI_H_
