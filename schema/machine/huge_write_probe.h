// A test of whether a file that grows by write(2) gets huge pages.
#ifndef VITRINE_SCHEMA_MACHINE_HUGE_WRITE_PROBE_H_
#define VITRINE_SCHEMA_MACHINE_HUGE_WRITE_PROBE_H_

#include <vitrine/result.h>

namespace vitrine::machine {

// Writes to a scratch file in the open directory `dir`, which is on a tmpfs.
// Kernels before 6.14 look at the size before the write: with huge=within_size
// what makes a file longer gets small pages there.  kUnsupported: so it is
// here.  Other errors: no scratch file could be used.
Status ProbeHugeWrites(int dir);

}  // namespace vitrine::machine

#endif  // VITRINE_SCHEMA_MACHINE_HUGE_WRITE_PROBE_H_
