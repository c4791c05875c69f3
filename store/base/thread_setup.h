#ifndef VITRINE_STORE_BASE_THREAD_SETUP_H_
#define VITRINE_STORE_BASE_THREAD_SETUP_H_

namespace vitrine::store {

// kLow: for asynchronous work, which must not delay threads that callers wait
// for.  kHigh: for threads that must keep ahead of writers.
enum class ThreadPriority { kLow, kNormal, kHigh };

// Names the calling thread (at most 15 bytes) for ps and gdb, and sets its nice
// value, as far as the user may.
void SetUpThread(const char* name, ThreadPriority priority);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_BASE_THREAD_SETUP_H_
