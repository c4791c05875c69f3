#include "store/base/heap.h"

#include <malloc.h>

#include "schema/base/sanitizers.h"

namespace vitrine::store {

// A sanitizer has an allocator of its own.  glibc's is not initialized then,
// and two threads that trim it at once initialize it twice, which can crash.
void TrimHeap() {
  if constexpr (!kThreadSanitizer && !kAddressSanitizer) ::malloc_trim(0);
}

}  // namespace vitrine::store
