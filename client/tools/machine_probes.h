// Things that are tried instead of believed: leases, mounts, devices.
#ifndef VITRINE_CLIENT_TOOLS_MACHINE_PROBES_H_
#define VITRINE_CLIENT_TOOLS_MACHINE_PROBES_H_

#include <optional>
#include <string>

#include "client/tools/machine_facts.h"

namespace vitrine::tools {

// Do leases on files in `directory` say whether somebody has them open or
// mapped?  Makes a scratch file there and removes it.
Probe ProbeLeases(const std::string& directory);

// Can files in `directory`, which is on a tmpfs, get huge pages by a collapse?
Probe ProbeCollapse(const std::string& directory);

// Can /dev/fuse be opened for reading and writing?
Probe ProbeFuseDevice();

struct MountProbes {
  Probe tmpfs;
  Probe huge_tmpfs;
  Probe tmpfs_leases;
  std::optional<bool> passthrough;  // None: FUSE could not be tried.
};

// Mounts for a moment in a mount namespace of its own, where nobody sees it.
MountProbes ProbeMounts();

}  // namespace vitrine::tools

#endif  // VITRINE_CLIENT_TOOLS_MACHINE_PROBES_H_
