#include "schema/machine/fuse_init.h"

#include <linux/fuse.h>

#include <algorithm>
#include <cstring>

namespace vitrine::machine {
namespace {

// fuse_init_in, of which older copies of <linux/fuse.h> have less.
struct InitIn {
  uint32_t major;
  uint32_t minor;
  uint32_t max_readahead;
  uint32_t flags;
  uint32_t flags2;
  uint32_t unused[11];
};

}  // namespace

std::optional<FuseInit> ParseFuseInit(std::span<const std::byte> request) {
  fuse_in_header header;
  if (request.size() < sizeof(header)) return std::nullopt;
  std::memcpy(&header, request.data(), sizeof(header));
  if (header.opcode != FUSE_INIT) return std::nullopt;
  // Older kernels send less.
  InitIn init{};
  const auto body = request.subspan(sizeof(header));
  std::memcpy(&init, body.data(), std::min(sizeof(init), body.size()));
  return FuseInit{header.unique, (init.flags & kInitHandleKillprivV2) != 0,
                  (init.flags & kInitExt) != 0 &&
                      (init.flags2 & kInitFlags2Passthrough) != 0};
}

}  // namespace vitrine::machine
