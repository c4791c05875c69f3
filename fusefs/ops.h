#ifndef VITRINE_FUSEFS_OPS_H_
#define VITRINE_FUSEFS_OPS_H_

#include <fuse3/fuse_lowlevel.h>

namespace vitrine::fusefs {

// What libfuse calls: unpacks each request, hands it to the FileSystem of the
// FuseSession that is the session's user data, and packs the answer.  No logic.
const fuse_lowlevel_ops& MountOps();

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_OPS_H_
