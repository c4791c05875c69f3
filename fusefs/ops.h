#ifndef VITRINE_FUSEFS_OPS_H_
#define VITRINE_FUSEFS_OPS_H_

#include <fuse3/fuse_lowlevel.h>

namespace vitrine::fusefs {

// libfuse's callbacks.  Each unpacks a request, calls the FileSystem of the
// FuseSession (libfuse's user data), and packs the answer.  They have no logic.
const fuse_lowlevel_ops& MountOps();

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_OPS_H_
