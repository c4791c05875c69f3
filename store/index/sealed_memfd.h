#ifndef VITRINE_STORE_INDEX_SEALED_MEMFD_H_
#define VITRINE_STORE_INDEX_SEALED_MEMFD_H_

#include <vitrine/result.h>

#include <cstddef>

#include "schema/base/unique_fd.h"

namespace vitrine::store {

// Memory to be shared with a client.  All of it is there and its size is final:
// nothing that the client does to it can give the store SIGBUS.
Result<UniqueFd> MakeSealedMemfd(const char* name, size_t size_bytes);

}  // namespace vitrine::store

#endif  // VITRINE_STORE_INDEX_SEALED_MEMFD_H_
