#ifndef VITRINE_STORE_INDEX_SEALED_MEMFD_H_
#define VITRINE_STORE_INDEX_SEALED_MEMFD_H_

#include <vitrine/result.h>

#include <cstddef>

#include "schema/base/unique_fd.h"

namespace vitrine::store {

// Memory to be shared with a client.  All of it is allocated and its size is
// final, so a client cannot make the store's accesses raise SIGBUS.
Result<UniqueFd> MakeSealedMemfd(const char* name, size_t size_bytes);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_INDEX_SEALED_MEMFD_H_
