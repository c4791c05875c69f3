// Leases: the kernel's answer to whether another process uses a file.
//
// An open of a leased file makes the kernel signal this process.  The signal is
// set to SIGURG, which is ignored by default: the default of leases, SIGIO,
// would end the process.
#ifndef VITRINE_SCHEMA_MACHINE_FILE_LEASE_H_
#define VITRINE_SCHEMA_MACHINE_FILE_LEASE_H_

#include <vitrine/result.h>

namespace vitrine::machine {

// Takes the lease F_RDLCK (no process writes) or F_WRLCK (no other description
// and no mapping).  False: refused, as another process uses the file.
Result<bool> TakeLease(int fd, int type);
void DropLease(int fd);

}  // namespace vitrine::machine

#endif  // VITRINE_SCHEMA_MACHINE_FILE_LEASE_H_
