// Whether file leases tell the truth in a directory.
#ifndef VITRINE_SCHEMA_MACHINE_LEASE_PROBE_H_
#define VITRINE_SCHEMA_MACHINE_LEASE_PROBE_H_

#include <vitrine/result.h>

namespace vitrine::machine {

// Tries it with a scratch file in the open directory `dir`.  kUnsupported: they
// do not, or there are none; other errors: it could not be tried.
Status ProbeLeases(int dir);

}  // namespace vitrine::machine

#endif  // VITRINE_SCHEMA_MACHINE_LEASE_PROBE_H_
