#include "store/host/numa_policy.h"

#include <numa.h>
#include <numaif.h>

#include <cerrno>
#include <memory>

namespace vitrine::store {
namespace {

using Mode = NumaOptions::Mode;

struct FreeBitmask {
  void operator()(bitmask* mask) const { ::numa_bitmask_free(mask); }
};
using Nodes = std::unique_ptr<bitmask, FreeBitmask>;

// Without NUMA the kernel has no policies, and libnuma must not be called.
bool HasNuma() { return ::numa_available() >= 0; }

// Those from which this process may take memory.
Nodes AllowedNodes() { return Nodes(::numa_get_mems_allowed()); }

bool Exists(unsigned node) {
  if (!HasNuma()) return node == 0;
  const Nodes allowed = AllowedNodes();
  return node < allowed->size && ::numa_bitmask_isbitset(allowed.get(), node);
}

}  // namespace

Result<NumaPolicy> NumaPolicy::Make(const NumaOptions& options) {
  if (options.mode == Mode::kNode && !Exists(options.node)) {
    return Error{Code::kInvalidArgument,
                 "there is no memory on NUMA node " +
                     std::to_string(options.node) +
                     " that this process may use; see numactl --hardware"};
  }
  NumaPolicy policy;
  policy.node_ = options.node;
  policy.mode_ = options.mode;
  if (!HasNuma()) policy.mode_ = Mode::kLocal;
  return policy;
}

Status NumaPolicy::Apply(void* data, size_t size_bytes) const {
  if (is_default()) return Status();
  const bool interleave = mode_ == Mode::kInterleave;
  const Nodes nodes =
      interleave ? AllowedNodes() : Nodes(::numa_allocate_nodemask());
  if (!interleave) ::numa_bitmask_setbit(nodes.get(), node_);
  // Preferred rather than bound: a node that is full must not end in the
  // kernel's killing somebody.
  const int mode = interleave ? MPOL_INTERLEAVE : MPOL_PREFERRED;
  if (::mbind(data, size_bytes, mode, nodes->maskp, nodes->size + 1, 0) == 0) {
    return Status();
  }
  return ErrnoError("mbind", errno);
}

std::string NumaPolicy::Describe() const {
  if (mode_ == Mode::kInterleave) return "interleave";
  if (mode_ == Mode::kNode) return "node:" + std::to_string(node_);
  return "local";
}

}  // namespace vitrine::store
