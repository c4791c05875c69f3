// A test of whether file leases tell the truth in a directory.
#ifndef VITRINE_SCHEMA_MACHINE_LEASE_PROBE_H_
#define VITRINE_SCHEMA_MACHINE_LEASE_PROBE_H_

#include <vitrine/result.h>

namespace vitrine::machine {

// Tries leases on a scratch file in the open directory `dir`.  kUnsupported:
// there are none, or they do not tell the truth.  Other errors: no scratch file
// could be used.
Status ProbeLeases(int dir);

}  // namespace vitrine::machine

#endif  // VITRINE_SCHEMA_MACHINE_LEASE_PROBE_H_
