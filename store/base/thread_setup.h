#ifndef VITRINE_STORE_BASE_THREAD_SETUP_H_
#define VITRINE_STORE_BASE_THREAD_SETUP_H_

namespace vitrine::store {

// kLow: work that is behind anyway and should not hold up what callers wait
// for.
enum class ThreadPriority { kLow, kNormal, kHigh };

// Names the calling thread (at most 15 bytes) for ps and gdb, and lets it run
// before or after others, as far as the user may.
void SetUpThread(const char* name, ThreadPriority priority);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_BASE_THREAD_SETUP_H_
