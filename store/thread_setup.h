#ifndef VITRINE_STORE_THREAD_SETUP_H_
#define VITRINE_STORE_THREAD_SETUP_H_

namespace vitrine {

enum class ThreadPriority { kNormal, kHigh };

// Names the calling thread (at most 15 bytes) for ps and gdb, and lets it run
// before others, as far as the user may.
void SetUpThread(const char* name, ThreadPriority priority);

}  // namespace vitrine

#endif  // VITRINE_STORE_THREAD_SETUP_H_
