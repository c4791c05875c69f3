// A test of whether files of a tmpfs with small pages can get huge ones.
#ifndef VITRINE_SCHEMA_MACHINE_COLLAPSE_PROBE_H_
#define VITRINE_SCHEMA_MACHINE_COLLAPSE_PROBE_H_

#include <vitrine/result.h>

namespace vitrine::machine {

// Tries MADV_COLLAPSE (Linux 6.1) on a scratch file in the open directory
// `dir`, which is on a tmpfs.  It needs no privilege, and works where
// shmem_enabled is `never`.  kUnsupported: the kernel, or the file system, does
// not do it.  Other errors: no scratch file could be used.
Status ProbeCollapse(int dir);

}  // namespace vitrine::machine

#endif  // VITRINE_SCHEMA_MACHINE_COLLAPSE_PROBE_H_
