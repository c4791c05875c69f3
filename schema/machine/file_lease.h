// Leases, by which the kernel says whether anybody else uses a file.
//
// Whoever opens a leased file makes the kernel signal this process.  The signal
// is set to SIGURG, which is ignored unless somebody handles it: the default of
// leases, SIGIO, would end the process.
#ifndef VITRINE_SCHEMA_MACHINE_FILE_LEASE_H_
#define VITRINE_SCHEMA_MACHINE_FILE_LEASE_H_

#include <vitrine/result.h>

namespace vitrine::machine {

// Takes the lease F_RDLCK (nobody writes) or F_WRLCK (nobody else has it open
// or mapped).  False: somebody's use stands against it.
Result<bool> TakeLease(int fd, int type);
void DropLease(int fd);

}  // namespace vitrine::machine

#endif  // VITRINE_SCHEMA_MACHINE_FILE_LEASE_H_
