#ifndef VITRINE_FUSEFS_OPS_H_
#define VITRINE_FUSEFS_OPS_H_

#include <fuse3/fuse_lowlevel.h>

namespace vitrine {

// What libfuse calls: unpacks each request, hands it to the FileSystem of the
// Session that is the session's user data, and packs the answer.  No logic.
const fuse_lowlevel_ops& MountOps();

}  // namespace vitrine

#endif  // VITRINE_FUSEFS_OPS_H_
