#include "store/base/heap.h"

#include <malloc.h>

// A sanitizer has an allocator of its own.  glibc's is not initialized then,
// and two threads that trim it at once initialize it twice, which can crash.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define VITRINE_GLIBC_HEAP 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define VITRINE_GLIBC_HEAP 0
#endif
#endif
#ifndef VITRINE_GLIBC_HEAP
#define VITRINE_GLIBC_HEAP 1
#endif

namespace vitrine::store {

void TrimHeap() {
  if constexpr (VITRINE_GLIBC_HEAP) ::malloc_trim(0);
}

}  // namespace vitrine::store
