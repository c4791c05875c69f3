// FUSE_INIT, the first request of the kernel's FUSE.
#ifndef VITRINE_SCHEMA_MACHINE_FUSE_INIT_H_
#define VITRINE_SCHEMA_MACHINE_FUSE_INIT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace vitrine::machine {

// Flags of request and reply, which older copies of <linux/fuse.h> lack; those
// of kInitFlags2* are bits of `flags2`.
inline constexpr uint32_t kInitHandleKillprivV2 = 1u << 28;
inline constexpr uint32_t kInitExt = 1u << 30;  // There is a `flags2`.
inline constexpr uint32_t kInitFlags2Passthrough = 1u << 5;

struct FuseInit {
  uint64_t unique;  // The request's number.
  bool killpriv;
  bool passthrough;
};

// None: the bytes are another request, or no request.
std::optional<FuseInit> ParseFuseInit(std::span<const std::byte> request);

}  // namespace vitrine::machine

#endif  // VITRINE_SCHEMA_MACHINE_FUSE_INIT_H_
