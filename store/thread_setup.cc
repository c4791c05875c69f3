#include "store/thread_setup.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

namespace vitrine {

void SetUpThread(const char* name, ThreadPriority priority) {
  ::pthread_setname_np(::pthread_self(), name);
  if (priority == ThreadPriority::kHigh) {
    // Refused to ordinary users, who do without.
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), -20);
  }
}

}  // namespace vitrine
