#ifndef VITRINE_FUSEFS_KERNEL_PROCESS_STATE_H_
#define VITRINE_FUSEFS_KERNEL_PROCESS_STATE_H_

#include <sys/types.h>

#include <string_view>

namespace vitrine::fusefs {

// True if `stat`, a line of /proc/<pid>/stat, is of a process that a signal is
// ending or has ended.
bool SaysKilledBySignal(std::string_view stat);

// True if a signal is ending the process of the thread `thread_id`.  False also
// if that is not known.
bool IsDyingFromSignal(pid_t thread_id);

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_KERNEL_PROCESS_STATE_H_
