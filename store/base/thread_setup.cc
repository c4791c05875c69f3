#include "store/base/thread_setup.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

namespace vitrine::store {

namespace {

int NiceValue(ThreadPriority priority) {
  switch (priority) {
    case ThreadPriority::kLow:
      return 10;
    case ThreadPriority::kNormal:
      return 0;
    case ThreadPriority::kHigh:
      return -20;
  }
  return 0;
}

}  // namespace

void SetUpThread(const char* name, ThreadPriority priority) {
  ::pthread_setname_np(::pthread_self(), name);
  if (priority == ThreadPriority::kNormal) return;  // As the process is.
  // The kernel refuses kHigh to ordinary users; then the value stays.
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()),
                NiceValue(priority));
}

}  // namespace vitrine::store
