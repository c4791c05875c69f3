#ifndef VITRINE_FUSEFS_KERNEL_PROCESS_STATE_H_
#define VITRINE_FUSEFS_KERNEL_PROCESS_STATE_H_

#include <sys/types.h>

#include <string_view>

namespace vitrine::fusefs {

// True if `stat`, a line of /proc/<pid>/stat, is of a process that a signal is
// ending or has ended.
bool SaysKilledBySignal(std::string_view stat);

// Is a signal ending the process that the thread `thread_id` belongs to?  Not
// known: false.
bool IsDyingFromSignal(pid_t thread_id);

}  // namespace vitrine::fusefs

#endif  // VITRINE_FUSEFS_KERNEL_PROCESS_STATE_H_
