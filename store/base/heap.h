#ifndef VITRINE_STORE_BASE_HEAP_H_
#define VITRINE_STORE_BASE_HEAP_H_

namespace vitrine::store {

// Gives free memory of the process's heap back to the kernel, which freeing
// alone does not always do.  Takes milliseconds.
void TrimHeap();

}  // namespace vitrine::store

#endif  // VITRINE_STORE_BASE_HEAP_H_
